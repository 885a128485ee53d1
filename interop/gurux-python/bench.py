# SPDX-License-Identifier: GPL-2.0-only
"""Times how Gurux for Python opens a ciphered APDU: prints nanoseconds for one.

The arguments are hexadecimal: the sender's system title, the encryption and the
authentication key, and the octets of a general-glo-ciphering.
"""
import contextlib
import os
import sys
import time

from gurux_dlms import GXByteBuffer
from gurux_dlms.AesGcmParameter import AesGcmParameter
from gurux_dlms.GXCiphering import GXCiphering
from gurux_dlms.secure import GXDLMSSecureClient

title, key, authentication, apdu = (bytes.fromhex(a) for a in sys.argv[1:5])
settings = GXDLMSSecureClient().settings
size = 0
best = None
for _ in range(5):
    rounds = 20
    began = time.process_time_ns()
    with open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere):  # it prints what it does
        for _ in range(rounds):
            p = AesGcmParameter(0, title, key, authentication)
            size = len(GXCiphering.decrypt(settings, p, GXByteBuffer(apdu)))
    took = (time.process_time_ns() - began) / rounds
    best = took if best is None else min(best, took)
print(int(best), size)
