# SPDX-License-Identifier: GPL-2.0-only
"""Reads a meter with Gurux for Python and prints what it read as JSON."""
import argparse
import contextlib
import json
import socket
import sys

from gurux_dlms import GXByteBuffer, GXDLMSClient, GXReplyData
from gurux_dlms.GXDLMSGateway import GXDLMSGateway
from gurux_dlms.enums import Authentication, InterfaceType, RequestTypes, Security
from gurux_dlms.objects import GXDLMSClock, GXDLMSData, GXDLMSProfileGeneric, GXDLMSRegister
from gurux_dlms.secure import GXDLMSSecureClient

MECHANISMS = {
    "none": Authentication.NONE,
    "low": Authentication.LOW,
    "high": Authentication.HIGH,
    "high-md5": Authentication.HIGH_MD5,
    "high-sha1": Authentication.HIGH_SHA1,
    "high-gmac": Authentication.HIGH_GMAC,
    "high-sha256": Authentication.HIGH_SHA256,
}
PROTECTIONS = {
    "none": Security.NONE,
    "authentication": Security.AUTHENTICATION,
    "encryption": Security.ENCRYPTION,
    "authentication+encryption": Security.AUTHENTICATION_ENCRYPTION,
}

parser = argparse.ArgumentParser()
parser.add_argument("host")
parser.add_argument("port", type=int)
parser.add_argument("framing", choices=["hdlc", "wrapper"])
parser.add_argument("names", choices=["ln", "sn"])
parser.add_argument("--authentication", choices=MECHANISMS, default="none")
parser.add_argument("--password")
parser.add_argument("--client", type=int, default=16)
parser.add_argument("--gateway", help="address of the device in network 0")
parser.add_argument("--security", choices=PROTECTIONS, default="none")
parser.add_argument("--key", type=bytearray.fromhex, help="encryption key; with it lists are read, too")
parser.add_argument("--auth-key", type=bytearray.fromhex)
parser.add_argument("--title", type=bytearray.fromhex)
parser.add_argument("--counter", type=int, help="first invocation counter to be used")
options = parser.parse_args()
hdlc = options.framing == "hdlc"

client = (GXDLMSSecureClient if options.key else GXDLMSClient)(
    options.names == "ln",
    options.client,
    1,
    MECHANISMS[options.authentication],
    options.password,
    InterfaceType.HDLC if hdlc else InterfaceType.WRAPPER,
)
if options.gateway:
    client.gateway = GXDLMSGateway()
    client.gateway.networkId = 0
    client.gateway.physicalDeviceAddress = options.gateway.encode()
if options.key:
    client.ciphering.security = PROTECTIONS[options.security]
    client.ciphering.systemTitle = options.title
    client.ciphering.blockCipherKey = options.key
    client.ciphering.authenticationKey = options.auth_key
    client.ciphering.invocationCounter = options.counter
link = socket.create_connection((options.host, options.port), timeout=10)
out = {"objects": 0, "registers": {}, "blocks": 0, "listed": 0}


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
        if isinstance(message, list):
            ask(message, reply)
            continue
        reply.clear()
        exchange(message, reply)
        while reply.isMoreData():
            out["blocks"] += bool(reply.moreData & RequestTypes.DATABLOCK)
            exchange(client.receiverReady(reply), reply)
    return reply


def read(target, attribute):
    reply = GXReplyData()
    ask(client.read(target, attribute), reply)
    return client.updateValue(target, attribute, reply.value)


def associate():
    if hdlc:
        reply = GXReplyData()
        exchange(client.snrmRequest(), reply)
        client.parseUAResponse(reply.data)
    reply = GXReplyData()
    ask(client.aarqRequest(), reply)
    client.parseAareResponse(reply.data)
    if client.isAuthenticationRequired:
        reply = GXReplyData()
        ask(client.getApplicationAssociationRequest(), reply)
        client.parseApplicationAssociationResponse(reply.data)


def read_objects():
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
            ask(client.readRowsByEntry(o, 11, 40), reply)
            out["rows"] = [[cell.hex() if isinstance(cell, (bytes, bytearray)) else cell for cell in row] for row in reply.value]
    return objects


def read_lists(objects):
    """Reads units, which do not change, and texts again, in a list of as many as fit."""
    units = [(o, 3) for o in objects if isinstance(o, GXDLMSRegister) and o.logicalName in out["registers"]][:8]
    texts = [(o, 2) for o in objects if o.logicalName in ("0.0.42.0.0.255", "0.0.96.1.0.255")]
    reply = GXReplyData()
    ask(client.readList(units + texts), reply)
    values = reply.value
    if len(values) != len(units) + len(texts):
        raise RuntimeError("%d values in a list of %d" % (len(values), len(units) + len(texts)))
    for (o, _), value in zip(units, values):
        if int(value[1]) != out["registers"][o.logicalName]["unit"]:
            raise RuntimeError("%s: %s in a list" % (o.logicalName, value))
    for (o, _), value in zip(texts, values[len(units):]):
        text = bytes(value).decode() if isinstance(value, (bytes, bytearray)) else str(value)
        if text != out[o.logicalName]:
            raise RuntimeError("%s: %s in a list" % (o.logicalName, text))
    out["listed"] = len(values)


with contextlib.redirect_stdout(sys.stderr):  # where the library complains
    associate()
    found = read_objects()
    if options.key:
        read_lists(found)
    if not hdlc:
        ask(client.releaseRequest(), GXReplyData())
    exchange(client.disconnectRequest(), GXReplyData())
    link.close()
if options.key:
    out["counter"] = client.ciphering.invocationCounter
print(json.dumps(out))
