// Sockets for IPv4 multicast, and which network interface a client is reached by. Interfaces are the kernel's indices.
// Groups are "address:port" as SocketAddress has them.
#pragma once

#include "common/loop/socket.h"

namespace sluice::loop {

// Sends to the group on this interface alone, to readers on this machine as well; from the group's port where nobody
// holds it alone. Receives nothing.
Result<Fd> connect_multicast(const SocketAddress &group, uint32_t interface, uint8_t ttl);

// Receives what is sent to the group on the interfaces that it joins. Others on this machine may bind it too.
Result<Fd> bind_multicast(const SocketAddress &group);
Result<void> join_multicast(int fd, const SocketAddress &group, uint32_t interface);
void leave_multicast(int fd, const SocketAddress &group, uint32_t interface);

// The interface that has the address, which the client of a connection sees as the server's. A client on this machine
// joins groups where the route to `group` leads, or, without a route, on the loopback interface. 0: there is none.
uint32_t multicast_interface(const SocketAddress &local, const SocketAddress &group);

} // namespace sluice::loop
