// SPDX-License-Identifier: GPL-2.0-only
package interop;

import gurux.dlms.GXByteBuffer;
import gurux.dlms.GXDLMSClient;
import java.nio.file.Files;
import java.nio.file.Path;

/** Decodes the A-XDR element in the file it is given, over and over; prints nanoseconds per decode of the whole. */
public final class Bench {
    private Bench() {
    }

    public static void main(String[] args) throws Exception {
        byte[] input = Files.readAllBytes(Path.of(args[0]));
        run(input, 2_000_000_000L); // for the compiler to settle
        System.out.println(run(input, 1_000_000_000L));
    }

    private static long run(byte[] input, long nanoseconds) {
        long start = System.nanoTime();
        long rounds = 0;
        long now;
        do {
            Object value = GXDLMSClient.getValue(new GXByteBuffer(input), false);
            if (value == null) {
                throw new IllegalStateException("nothing decoded");
            }
            rounds++;
            now = System.nanoTime();
        } while (now - start < nanoseconds);
        return (now - start) / rounds;
    }
}
