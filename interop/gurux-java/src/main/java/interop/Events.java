// SPDX-License-Identifier: GPL-2.0-only
package interop;

/** Tells what happens on one connection: lines "event NAME NUMBER" on stderr. */
record Events(int connection) {
    void say(String name) {
        synchronized (System.err) {
            System.err.println("event " + name + " " + connection);
            System.err.flush();
        }
    }
}
