# SPDX-License-Identifier: GPL-2.0-only
"""Reads a range of a load profile with Gurux for Python, again and again, and prints what it took.

The arguments are host, port, framing, the two ends in Unix seconds, and how often it is read. One line for each: rows,
sum of all numbers, nanoseconds of time and of this process.
"""
import datetime
import os
import socket
import sys
import time

os.environ["TZ"] = "UTC"
time.tzset()

from gurux_dlms import GXByteBuffer, GXDateTime, GXDLMSClient, GXReplyData
from gurux_dlms.enums import Authentication, InterfaceType
from gurux_dlms.objects import GXDLMSProfileGeneric

host, port, framing = sys.argv[1], int(sys.argv[2]), sys.argv[3]
ends = [GXDateTime(datetime.datetime.fromtimestamp(int(a), datetime.timezone.utc)) for a in sys.argv[4:6]]
hdlc = framing == "hdlc"
client = GXDLMSClient(True, 16, 1, Authentication.NONE, None, InterfaceType.HDLC if hdlc else InterfaceType.WRAPPER)
if hdlc:  # as long as the meter takes; it offers 128 otherwise
    client.hdlcSettings.maxInfoRX = client.hdlcSettings.maxInfoTX = 1024
link = socket.create_connection((host, port), timeout=10)
link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def exchange(message, reply):
    """Sends one message and receives until its answer is complete."""
    link.sendall(bytes(message))
    received = GXByteBuffer()
    while not client.getData(received, reply, GXReplyData()):
        part = link.recv(65536)
        if not part:
            raise EOFError("the meter hung up")
        received.set(part)
    if reply.error:
        raise RuntimeError("error %s" % reply.error)


def ask(messages):
    """Sends a request and asks for the blocks that follow."""
    reply = GXReplyData()
    for message in messages if isinstance(messages, list) else [messages]:
        exchange(message, reply)
        while reply.isMoreData():
            exchange(client.receiverReady(reply), reply)
    return reply


if hdlc:
    client.parseUAResponse(ask(client.snrmRequest()).data)
client.parseAareResponse(ask(client.aarqRequest()).data)
profile = GXDLMSProfileGeneric("1.0.99.1.0.255")
client.updateValue(profile, 3, ask(client.read(profile, 3)).value)
for _ in range(int(sys.argv[6])):
    began, used = time.perf_counter_ns(), time.process_time_ns()
    client.updateValue(profile, 2, ask(client.readRowsByRange(profile, *ends)).value)
    total = 0
    for row in profile.buffer:
        for cell in row[1:]:
            total += cell
        if row[0].value is None:
            raise ValueError("a row without time")
    took, spent = time.perf_counter_ns() - began, time.process_time_ns() - used
    print(len(profile.buffer), int(total), took, spent)
ask(client.disconnectRequest() if hdlc else client.releaseRequest())
link.close()
