# SPDX-License-Identifier: BUSL-1.1
"""Reads a meter with dlms-cosem and prints what it read as JSON."""
import argparse
import json
import sys

import structlog
from dlms_cosem import cosem, enumerations
from dlms_cosem.client import DlmsClient
from dlms_cosem.io import BlockingTcpIO, HdlcTransport, TcpTransport
from dlms_cosem.protocol import xdlms
from dlms_cosem.security import HighLevelSecurityGmacAuthentication, LowLevelSecurityAuthentication, NoSecurityAuthentication
from dlms_cosem.utils import parse_as_dlms_data

structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))


class Transport(HdlcTransport):
    """Reads up to each flag: where the check sequence ends with 7E, the library's own waits for another one."""

    def recv_frame(self):
        return self.io.recv_until(b"~")


class Gmac(HighLevelSecurityGmacAuthentication):
    """Its answer to a challenge has an invocation counter of its own: the library's shares that of the request around it."""

    def hls_generate_reply_data(self, connection):
        reply = super().hls_generate_reply_data(connection)
        connection.client_invocation_counter += 1
        return reply


parser = argparse.ArgumentParser()
parser.add_argument("host")
parser.add_argument("port", type=int)
parser.add_argument("framing", choices=["hdlc", "wrapper"])
parser.add_argument("names", choices=["ln"])
parser.add_argument("--authentication", choices=["none", "low", "high-gmac"], default="none")
parser.add_argument("--password")
parser.add_argument("--client", type=int, default=16)
parser.add_argument("--security", choices=["none", "authentication", "encryption", "authentication+encryption"], default="none")
parser.add_argument("--key", type=bytes.fromhex, help="encryption key")
parser.add_argument("--auth-key", type=bytes.fromhex)
parser.add_argument("--title", type=bytes.fromhex)
parser.add_argument("--counter", type=int, default=0, help="first invocation counter to be used")
parser.add_argument("--as-shipped", action="store_true", help="without the invocation counter that the library forgets")
parser.add_argument("--list", type=int, default=0, help="units to be read in one list, too")
options = parser.parse_args()
if options.security in ("authentication", "encryption"):
    sys.exit("the library protects with both or not at all")

io = BlockingTcpIO(host=options.host, port=options.port, timeout=10)
if options.framing == "hdlc":
    transport = Transport(client_logical_address=options.client, server_logical_address=1, server_physical_address=17, extended_addressing=False, io=io)
else:
    transport = TcpTransport(client_logical_address=options.client, server_logical_address=1, io=io)
authentication = NoSecurityAuthentication()
if options.authentication == "low":
    authentication = LowLevelSecurityAuthentication(secret=options.password.encode())
if options.authentication == "high-gmac":
    authentication = (HighLevelSecurityGmacAuthentication if options.as_shipped else Gmac)(challenge_length=16)
client = DlmsClient(
    transport=transport,
    authentication=authentication,
    encryption_key=options.key,
    authentication_key=options.auth_key,
    client_system_title=options.title,
    client_initial_invocation_counter=options.counter,
)


def attribute(interface, code, number):
    return cosem.CosemAttribute(interface=interface, instance=cosem.Obis.from_string(code), attribute=number)


registers = ["1.0.1.8.0.255", "1.0.2.8.0.255", "1.0.1.7.0.255", "1.0.32.7.0.255", "1.0.14.7.0.255"]
out = {"registers": {}, "blocks": 0, "listed": 0}
with client.session() as session:
    register = enumerations.CosemInterface.REGISTER
    for code in registers:
        value = parse_as_dlms_data(session.get(attribute(register, code, 2)))
        scaler, unit = parse_as_dlms_data(session.get(attribute(register, code, 3)))
        out["registers"][code] = {"value": float(value) * 10.0**scaler, "unit": int(unit)}
    for code in ("0.0.42.0.0.255", "0.0.96.1.0.255"):
        out[code] = bytes(parse_as_dlms_data(session.get(attribute(enumerations.CosemInterface.DATA, code, 2)))).decode()
    next_blocks = session.send

    def send(*events):
        out["blocks"] += sum(isinstance(e, xdlms.GetRequestNext) for e in events)
        next_blocks(*events)

    session.send = send
    rows = parse_as_dlms_data(session.get(attribute(enumerations.CosemInterface.ASSOCIATION_LN, "0.0.40.0.0.255", 2)))
    out["objects"] = len(rows)
    if options.list:
        wanted = [registers[i % len(registers)] for i in range(options.list)]
        response = session.get_many([cosem.CosemAttributeWithSelection(attribute(register, code, 3), None) for code in wanted])
        for code, data in zip(wanted, response.response_data, strict=True):
            unit = int(data.to_python()[1])
            if unit != out["registers"][code]["unit"]:
                raise RuntimeError("%s: unit %s in a list" % (code, unit))
        out["listed"] = len(wanted)
if options.key:
    out["counter"] = client.client_invocation_counter
print(json.dumps(out))
