# SPDX-License-Identifier: MIT
"""A serial server (RFC 2217) on pyserial, in front of a line in memory.

The first line of output is JSON: the TCP port, and the name of the other end of
the line, where a meter may be. Then comes a line for each change of the
settings. It ends when its standard input does.
"""
import json
import os
import pty
import socket
import sys
import threading
import tty

import serial
import serial.rfc2217


def line():
    """Two ends of a line: names of ports between which octets go back and forth."""
    near, near_end = pty.openpty()
    far, far_end = pty.openpty()
    for fd in (near_end, far_end):
        tty.setraw(fd)

    def carry(source, destination):
        while True:
            os.write(destination, os.read(source, 4096))

    for source, destination in ((near, far), (far, near)):
        threading.Thread(target=carry, args=(source, destination), daemon=True).start()
    return os.ttyname(near_end), os.ttyname(far_end)


class Port(serial.Serial):
    """A terminal has no modem lines, and characters of 8 bits without parity only."""

    cts = dsr = cd = True
    ri = False

    def _reconfigure_port(self, force_update=False):
        told = self._bytesize, self._parity
        self._bytesize, self._parity = serial.EIGHTBITS, serial.PARITY_NONE
        try:
            super()._reconfigure_port(force_update)
        finally:
            self._bytesize, self._parity = told

    def settings(self):
        return "%d %d%s%d" % (self.baudrate, self.bytesize, self.parity, self.stopbits)


class Connection:
    def __init__(self, link):
        self.link = link
        self.lock = threading.Lock()

    def write(self, data):
        with self.lock:
            self.link.sendall(data)


def serve(link, port):
    connection = Connection(link)
    manager = serial.rfc2217.PortManager(port, connection)
    ended = threading.Event()

    def up():
        while not ended.is_set():
            data = port.read(port.in_waiting or 1)
            if data:
                connection.write(b"".join(manager.escape(data)))

    reader = threading.Thread(target=up, daemon=True)
    reader.start()
    before = port.settings()
    while data := link.recv(4096):
        port.write(b"".join(manager.filter(data)))
        now = port.settings()
        if now != before:
            print(now, flush=True)
        before = now
    ended.set()
    reader.join()


near, far = line()
listener = socket.create_server(("127.0.0.1", 0))
print(json.dumps({"port": listener.getsockname()[1], "meter": far}), flush=True)


def accept():
    while True:
        link, _ = listener.accept()
        with Port(near, timeout=0.05) as port:
            serve(link, port)


threading.Thread(target=accept, daemon=True).start()
sys.stdin.read()
