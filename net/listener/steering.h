// Which of the sockets that share a port gets a connection.
#ifndef PERCORE_NET_LISTENER_STEERING_H_
#define PERCORE_NET_LISTENER_STEERING_H_

namespace percore {

// For the group of listening sockets that `fd` shares its port with
// (SO_REUSEPORT): a connection whose packet is handled by processor cpus[i]
// goes to the i-th socket that began to listen; one from any other processor
// to whom the kernel's hash says. By a classic BPF program
// (SO_ATTACH_REUSEPORT_CBPF, socket(7)), which needs no right. The `n`
// processors must differ. 0, or -1 with errno: the kernel cannot, EINVAL. Any
// thread.
int SteerByCpu(int fd, const int* cpus, int n);

}  // namespace percore

#endif  // PERCORE_NET_LISTENER_STEERING_H_
