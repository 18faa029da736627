// asio's side of the cases.

#include "percore/bench/micro/cases.h"

#if __has_include(<asio.hpp>)

#include <asio/executor_work_guard.hpp>
#include <asio/io_context.hpp>
#include <asio/post.hpp>
#include <thread>
#include <vector>

#include "percore/bench/micro/cores.h"
#include "percore/bench/micro/producers.h"

namespace percore::bench {
namespace {

class AsioPost : public Case {
 public:
  AsioPost(const Workload& work, const EventApi*)
      : producers_(
            work.size, static_cast<Exchange>(work.detail),
            [this](int number) { Send(number); },
            [this] { asio::post(context_, [this] { producers_.Hold(); }); }) {
    thread_ = std::thread([this] {
      PinTo(ConsumerCore());
      context_.run();
    });
    Run();
  }
  ~AsioPost() override {
    context_.stop();
    thread_.join();
  }

  std::vector<double> Run() override { return producers_.Run(kBursts); }
  double operations() const override { return kBursts * Producers::kBurst; }

 private:
  static constexpr int kBursts = 40;
  void Send(int number) {
    for (int i = 0; i < Producers::kBurst; ++i) {
      asio::post(context_, [this, number] { producers_.Consumed(number); });
    }
  }

  asio::io_context context_;
  asio::executor_work_guard<asio::io_context::executor_type> work_ =
      asio::make_work_guard(context_);
  std::thread thread_;
  Producers producers_;
};

}  // namespace

void AddAsioCases(CaseRegistry* registry) {
  registry->Add("post", Family::kAsio, MakerOf<AsioPost>());
}

}  // namespace percore::bench

#else

namespace percore::bench {
void AddAsioCases(CaseRegistry*) {}
}  // namespace percore::bench

#endif  // __has_include(<asio.hpp>)
