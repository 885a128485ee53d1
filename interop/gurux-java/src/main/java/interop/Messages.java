// SPDX-License-Identifier: GPL-2.0-only
package interop;

import java.util.Arrays;

/**
 * Cuts what was received into whole messages, because the server class takes one at a time and drops what follows.
 */
final class Messages {
    private static final int FLAG = 0x7E;
    private static final int HEADER = 8;

    private final boolean hdlc;
    private byte[] pending = {};

    Messages(boolean hdlc) {
        this.hdlc = hdlc;
    }

    void add(byte[] received, int n) {
        int old = pending.length;
        pending = Arrays.copyOf(pending, old + n);
        System.arraycopy(received, 0, pending, old, n);
    }

    /** The next whole message, null if more octets are needed. */
    byte[] next() {
        if (hdlc) {
            skipToFrame();
        }
        int length = hdlc ? frameLength() : wrapperLength();
        if (length < 0 || pending.length < length) {
            return null;
        }
        byte[] message = Arrays.copyOf(pending, length);
        // The closing flag of a frame may be the opening one of the next.
        pending = Arrays.copyOfRange(pending, hdlc ? length - 1 : length, pending.length);
        return message;
    }

    private void skipToFrame() {
        int i = 0;
        while (i < pending.length && (pending[i] != FLAG || i + 1 < pending.length && pending[i + 1] == FLAG)) {
            i++;
        }
        pending = Arrays.copyOfRange(pending, i, pending.length);
    }

    private int frameLength() {
        return pending.length < 3 ? -1 : ((pending[1] & 7) << 8 | pending[2] & 0xFF) + 2;
    }

    private int wrapperLength() {
        return pending.length < HEADER ? -1 : HEADER + ((pending[6] & 0xFF) << 8 | pending[7] & 0xFF);
    }
}
