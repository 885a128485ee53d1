# SPDX-License-Identifier: GPL-2.0-only
"""Reads a meter with Gurux for Python and prints what it read as JSON.

usage: client.py HOST PORT hdlc|wrapper ln|sn [PASSWORD [NETWORK DEVICE]]
"""
import json
import socket
import sys

from gurux_dlms import GXByteBuffer, GXDLMSClient, GXReplyData
from gurux_dlms.GXDLMSGateway import GXDLMSGateway
from gurux_dlms.enums import Authentication, InterfaceType
from gurux_dlms.objects import GXDLMSClock, GXDLMSData, GXDLMSProfileGeneric, GXDLMSRegister

host, port, framing, names = sys.argv[1], int(sys.argv[2]), sys.argv[3], sys.argv[4]
password = sys.argv[5] if len(sys.argv) > 5 and sys.argv[5] else None
hdlc = framing == "hdlc"

client = GXDLMSClient(
    names == "ln",
    32 if password else 16,
    1,
    Authentication.LOW if password else Authentication.NONE,
    password,
    InterfaceType.HDLC if hdlc else InterfaceType.WRAPPER,
)
if len(sys.argv) > 6:
    client.gateway = GXDLMSGateway()
    client.gateway.networkId = int(sys.argv[6])
    client.gateway.physicalDeviceAddress = sys.argv[7].encode()
link = socket.create_connection((host, port), timeout=10)


def exchange(message, reply):
    """Sends one message and receives until its answer is complete."""
    if not message:
        return
    link.sendall(bytes(message))
    received = GXByteBuffer()
    notify = GXReplyData()
    while not client.getData(received, reply, notify):
        part = link.recv(4096)
        if not part:
            raise EOFError("the meter hung up")
        received.set(part)
    if reply.error:
        raise RuntimeError("error %s" % reply.error)


def ask(messages, reply):
    """Sends the messages of a request, and asks for the blocks that follow."""
    for message in messages if isinstance(messages, list) else [messages]:
        reply.clear()
        exchange(message, reply)
        while reply.isMoreData():
            exchange(client.receiverReady(reply), reply)
    return reply


def read(target, attribute):
    reply = GXReplyData()
    ask(client.read(target, attribute), reply)
    return client.updateValue(target, attribute, reply.value)


if hdlc:
    reply = GXReplyData()
    exchange(client.snrmRequest(), reply)
    client.parseUAResponse(reply.data)
reply = GXReplyData()
ask(client.aarqRequest(), reply)
client.parseAareResponse(reply.data)

out = {"objects": 0, "registers": {}}
reply = GXReplyData()
ask(client.getObjectsRequest(), reply)
objects = client.parseObjects(reply.data, True)
out["objects"] = len(objects)
for o in objects:
    if isinstance(o, GXDLMSRegister) and len(out["registers"]) < 25:
        read(o, 3)
        value = read(o, 2)
        out["registers"][o.logicalName] = {"value": float(value), "unit": int(o.unit)}
    elif isinstance(o, GXDLMSData) and o.logicalName in ("0.0.42.0.0.255", "0.0.96.1.0.255"):
        value = read(o, 2)
        out[o.logicalName] = bytes(value).decode() if isinstance(value, (bytes, bytearray)) else str(value)
    elif isinstance(o, GXDLMSClock):
        out["clock"] = read(o, 2).value.timestamp()
    elif isinstance(o, GXDLMSProfileGeneric) and o.logicalName == "1.0.99.1.0.255":
        read(o, 3)
        reply = GXReplyData()
        ask(client.readRowsByEntry(o, 1, 10), reply)
        out["rows"] = len(client.updateValue(o, 2, reply.value))

reply = GXReplyData()
if not hdlc:
    ask(client.releaseRequest(), reply)
exchange(client.disconnectRequest(), GXReplyData())
link.close()
print(json.dumps(out))
