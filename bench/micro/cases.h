// Every case of this folder, by the file that has it.

#ifndef PERCORE_BENCH_MICRO_CASES_H_
#define PERCORE_BENCH_MICRO_CASES_H_

#include "percore/bench/micro/case.h"

namespace percore::bench {

void AddEvent2IoCases(CaseRegistry* registry);
void AddEvent2TimerCases(CaseRegistry* registry);
void AddEvent2LoopCases(CaseRegistry* registry);
void AddEvent2ThreadCases(CaseRegistry* registry);
void AddEvent2BufferCases(CaseRegistry* registry);
void AddEvent2StreamCases(CaseRegistry* registry);
void AddEvent2ConnectionCases(CaseRegistry* registry);
void AddRawCases(CaseRegistry* registry);
void AddRawNetCases(CaseRegistry* registry);
void AddQueueCases(CaseRegistry* registry);

// These add nothing where the peer's header was absent at build time, or
// where its library cannot be loaded.
void AddLibevCases(CaseRegistry* registry);
void AddLibuvCases(CaseRegistry* registry);
void AddLibuvStreamCases(CaseRegistry* registry);
void AddAsioCases(CaseRegistry* registry);
void AddAsioStreamCases(CaseRegistry* registry);

// All of the above.
inline CaseRegistry AllCases() {
  CaseRegistry registry;
  AddEvent2IoCases(&registry);
  AddEvent2TimerCases(&registry);
  AddEvent2LoopCases(&registry);
  AddEvent2ThreadCases(&registry);
  AddEvent2BufferCases(&registry);
  AddEvent2StreamCases(&registry);
  AddEvent2ConnectionCases(&registry);
  AddRawCases(&registry);
  AddRawNetCases(&registry);
  AddQueueCases(&registry);
  AddLibevCases(&registry);
  AddLibuvCases(&registry);
  AddLibuvStreamCases(&registry);
  AddAsioCases(&registry);
  AddAsioStreamCases(&registry);
  return registry;
}

}  // namespace percore::bench

#endif  // PERCORE_BENCH_MICRO_CASES_H_
