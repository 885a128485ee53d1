// SPDX-License-Identifier: GPL-3.0-only
package interop;

import java.nio.ByteBuffer;
import java.time.DateTimeException;
import java.time.Instant;
import java.time.LocalDateTime;
import java.time.ZoneId;
import java.time.ZoneOffset;
import java.time.ZonedDateTime;

/** Date-times of 12 octets. */
final class Times {
    private static final short UNSPECIFIED = (short) 0x8000;
    private static final int SUMMER = 0x80;
    private static final int LENGTH = 12;

    private Times() {
    }

    /** That of a clock in this zone, with deviation and the bit of summer time. */
    static byte[] encode(long seconds, ZoneId zone) {
        ZonedDateTime t = Instant.ofEpochSecond(seconds).atZone(zone);
        boolean summer = zone.getRules().isDaylightSavings(t.toInstant());
        return ByteBuffer.allocate(LENGTH).putShort((short) t.getYear()).put((byte) t.getMonthValue()).put((byte) t.getDayOfMonth())
            .put((byte) t.getDayOfWeek().getValue()).put((byte) t.getHour()).put((byte) t.getMinute()).put((byte) t.getSecond())
            .put((byte) 0).putShort((short) (-t.getOffset().getTotalSeconds() / 60)).put((byte) (summer ? SUMMER : 0)).array();
    }

    static boolean hasDeviation(byte[] b) {
        return ByteBuffer.wrap(b).getShort(9) != UNSPECIFIED;
    }

    /** Unix seconds; without a deviation it is the time of the zone. */
    static long decode(byte[] b, ZoneId zone) throws DateTimeException {
        if (b.length != LENGTH) {
            throw new DateTimeException("date-time of " + b.length + " octets");
        }
        LocalDateTime t = LocalDateTime.of(ByteBuffer.wrap(b).getShort(0), b[2], b[3], b[5], b[6], b[7]);
        return hasDeviation(b) ? t.toEpochSecond(ZoneOffset.UTC) + 60L * ByteBuffer.wrap(b).getShort(9) : t.atZone(zone).toEpochSecond();
    }
}
