# SPDX-License-Identifier: BUSL-1.1
"""Reads a meter with dlms-cosem and prints what it read as JSON.

usage: client.py HOST PORT hdlc|wrapper ln [PASSWORD]
"""
import json
import sys

import structlog
from dlms_cosem import a_xdr, cosem, enumerations
from dlms_cosem.client import DlmsClient
from dlms_cosem.io import BlockingTcpIO, HdlcTransport, TcpTransport
from dlms_cosem.security import LowLevelSecurityAuthentication, NoSecurityAuthentication
from dlms_cosem.utils import parse_as_dlms_data

structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))

class Transport(HdlcTransport):
    """Reads up to each flag: where the check sequence ends with 7E, the library's own waits for another one."""

    def recv_frame(self):
        return self.io.recv_until(b"~")


host, port, framing = sys.argv[1], int(sys.argv[2]), sys.argv[3]
password = sys.argv[5] if len(sys.argv) > 5 else None
io = BlockingTcpIO(host=host, port=port, timeout=10)
client_address = 32 if password else 16
if framing == "hdlc":
    transport = Transport(client_logical_address=client_address, server_logical_address=1, server_physical_address=17, extended_addressing=False, io=io)
else:
    transport = TcpTransport(client_logical_address=client_address, server_logical_address=1, io=io)
authentication = LowLevelSecurityAuthentication(secret=password.encode()) if password else NoSecurityAuthentication()
client = DlmsClient(transport=transport, authentication=authentication)


def attribute(interface, code, number):
    return cosem.CosemAttribute(interface=interface, instance=cosem.Obis.from_string(code), attribute=number)


registers = ["1.0.1.8.0.255", "1.0.2.8.0.255", "1.0.1.7.0.255", "1.0.32.7.0.255", "1.0.14.7.0.255"]
out = {"registers": {}}
with client.session() as session:
    register = enumerations.CosemInterface.REGISTER
    for code in registers:
        value = parse_as_dlms_data(session.get(attribute(register, code, 2)))
        scaler, unit = parse_as_dlms_data(session.get(attribute(register, code, 3)))
        out["registers"][code] = {"value": float(value) * 10.0**scaler, "unit": int(unit)}
    for code in ("0.0.42.0.0.255", "0.0.96.1.0.255"):
        out[code] = bytes(parse_as_dlms_data(session.get(attribute(enumerations.CosemInterface.DATA, code, 2)))).decode()
    rows = parse_as_dlms_data(session.get(attribute(enumerations.CosemInterface.ASSOCIATION_LN, "0.0.40.0.0.255", 2)))
    out["objects"] = len(rows)
print(json.dumps(out))
