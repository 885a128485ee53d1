// SPDX-License-Identifier: GPL-3.0-only
package interop;

import java.time.ZoneId;
import java.util.Set;

/** What the meter is told on its command line. */
record Options(int rows, long last, ZoneId zone, Set<String> refused) {
    static final String USAGE = """
            usage: interop.Meter [options]
              --rows N             rows of the load profile (1000)
              --last SECONDS       Unix time of its last row and of the clock (first row and clock: 2026-01-01T00:00:00Z)
              --zone NAME          whose time the meter states, with its deviation (UTC)
              --refuse LIST        what may not select rows: range, entries, or deviation: a range that states one
            Events go to stderr, one per line: range, entries, whole, each with 0: how rows of the profile were read.""";

    /** 2026-01-01T00:00:00Z, in seconds. */
    private static final long START = 1767225600L;

    static Options parse(String[] args) {
        int rows = 1000;
        long last = 0;
        ZoneId zone = ZoneId.of("UTC");
        Set<String> refused = Set.of();
        for (int i = 0; i < args.length; i += 2) {
            if (i + 1 == args.length) {
                throw new IllegalArgumentException("no value: " + args[i]);
            }
            String value = args[i + 1];
            switch (args[i]) {
            case "--rows" -> rows = Integer.parseInt(value);
            case "--last" -> last = Long.parseLong(value);
            case "--zone" -> zone = ZoneId.of(value);
            case "--refuse" -> refused = Set.of(value.split(","));
            default -> throw new IllegalArgumentException("unknown option: " + args[i]);
            }
        }
        return new Options(rows, last, zone, refused);
    }

    /** Unix time of row i. */
    long time(int i) {
        return last == 0 ? START + (long) Profile.PERIOD * i : last - (long) Profile.PERIOD * (rows - 1 - i);
    }

    /** Unix time of the clock, which stands still. */
    long clock() {
        return last == 0 ? START : last;
    }
}
