// SPDX-License-Identifier: GPL-2.0-only
package interop;

/** What the meter is told on its command line. */
final class Options {
    static final String USAGE = """
            usage: interop.Meter [options]
              --port N             TCP port on loopback, 0 = a free one (0)
              --framing NAME       hdlc or wrapper (wrapper)
              --referencing NAME   ln or sn (ln)
              --auth NAME          none or low (none)
              --password TEXT      password of low (12345678)
              --client N           the only client address (16 for none, 32 for low)
              --max-info N         octets of information in an HDLC frame (1024)
              --max-pdu N          octets of an APDU (1024)
              --rows N             rows of the load profile (1000)
              --no-lists           conformance without multiple-references
              --delay N            milliseconds before each answer (0)
            The first line on stdout is the port. Events go to stderr, one per line:
            connect, associate, refuse, release, answer, close, each with the number of the connection.
            The meter ends when its standard input does.""";

    int port;
    boolean hdlc;
    boolean shortNames;
    boolean low;
    String password = "12345678";
    int client;
    int maxInfo = 1024;
    int maxPdu = 1024;
    int rows = 1000;
    boolean lists = true;
    int delay;

    static Options parse(String[] args) {
        Options o = new Options();
        for (int i = 0; i < args.length; i++) {
            switch (args[i]) {
            case "--no-lists" -> o.lists = false;
            default -> {
                if (i + 1 == args.length) {
                    throw new IllegalArgumentException("unknown option, or no value: " + args[i]);
                }
                o.set(args[i], args[++i]);
            }
            }
        }
        if (o.client == 0) {
            o.client = o.low ? 32 : 16;
        }
        return o;
    }

    private void set(String key, String value) {
        switch (key) {
        case "--port" -> port = Integer.parseInt(value);
        case "--framing" -> hdlc = choice(key, value, "hdlc", "wrapper");
        case "--referencing" -> shortNames = choice(key, value, "sn", "ln");
        case "--auth" -> low = choice(key, value, "low", "none");
        case "--password" -> password = value;
        case "--client" -> client = Integer.parseInt(value);
        case "--max-info" -> maxInfo = Integer.parseInt(value);
        case "--max-pdu" -> maxPdu = Integer.parseInt(value);
        case "--rows" -> rows = Integer.parseInt(value);
        case "--delay" -> delay = Integer.parseInt(value);
        default -> throw new IllegalArgumentException("unknown option: " + key);
        }
    }

    private static boolean choice(String key, String value, String yes, String no) {
        if (!value.equals(yes) && !value.equals(no)) {
            throw new IllegalArgumentException(key + " must be " + yes + " or " + no + ", not " + value);
        }
        return value.equals(yes);
    }
}
