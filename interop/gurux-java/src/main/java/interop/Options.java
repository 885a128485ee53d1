// SPDX-License-Identifier: GPL-2.0-only
package interop;

import gurux.dlms.enums.Authentication;
import gurux.dlms.enums.Security;
import java.time.ZoneId;
import java.util.HexFormat;
import java.util.Set;
import java.util.TimeZone;

/** What the meter is told on its command line. */
final class Options {
    static final String USAGE = """
            usage: interop.Meter [options]
              --port N             TCP port on loopback, 0 = a free one (0)
              --framing NAME       hdlc or wrapper (wrapper)
              --referencing NAME   ln or sn (ln)
              --auth NAME          none, low, high, high-md5, high-sha1, high-gmac, high-sha256 or high-ecdsa (none)
              --password TEXT      password of low, secret of the others (12345678)
              --security NAME      what every request must have: none, authentication, encryption or both (none)
              --suite N            security suite: 0, 1 or 2 (0)
              --signing-key HEX    of the meter, private, PKCS #8
              --client-key HEX     of the client's signatures, public, X.509
              --agreement-key HEX, --client-agreement-key HEX
                                   those of key agreement, likewise
              --own-signatures     those of the server class, which knows suite 1 and logical names only
              --gbt                general block transfer is granted
              --key HEX            encryption key (000102..0F)
              --auth-key HEX       authentication key (D0D1D2..DF)
              --title HEX          system title (4752580000000001)
              --counter N          invocation counter of clients at the start (0)
              --answers NAME       security of answers to reads, if it is another
              --impostor           any answer to the challenge is accepted, and answered wrongly
              --client N           the only client address (16 for none, 32 for low, 1 for high and with security);
                                   in logical names with high or security, the public client, 16, may read that counter
              --max-info N         octets of information in an HDLC frame (1024)
              --max-pdu N          octets of an APDU (1024)
              --rows N             rows of the load profile (1000)
              --last SECONDS       Unix time of its last row and of the clock (first row and clock: 2026-01-01T00:00:00Z)
              --zone NAME          whose time the meter states, with its deviation (UTC)
              --refuse LIST        what may not select rows: range, entries, or deviation: a range that states one
              --no-lists           conformance without multiple-references
              --delay N            milliseconds before each answer (0)
            The first line on stdout is the port. Events go to stderr, one per line:
            connect, associate (without high), refuse, release, answer, general-block, close, each with the number of the connection;
            range, entries, whole: how rows of the profile were read.
            The meter ends when its standard input does.""";

    int port;
    boolean hdlc;
    boolean shortNames;
    Authentication authentication = Authentication.NONE;
    Security security = Security.NONE;
    byte[] key = hex("000102030405060708090A0B0C0D0E0F");
    byte[] authenticationKey = hex("D0D1D2D3D4D5D6D7D8D9DADBDCDDDEDF");
    byte[] title = hex("4752580000000001");
    Security answers; // null: that of requests
    int suite;
    byte[] signingKey = {};
    byte[] clientKey = {};
    byte[] agreementKey = {};
    byte[] clientAgreementKey = {};
    boolean ownSignatures;
    boolean gbt;
    long counter;
    boolean impostor;
    String password = "12345678";
    int client;
    int maxInfo = 1024;
    int maxPdu = 1024;
    int rows = 1000;
    long last;
    TimeZone zone = TimeZone.getTimeZone("UTC");
    Set<String> refused = Set.of();
    boolean lists = true;
    int delay;

    static Options parse(String[] args) {
        Options o = new Options();
        for (int i = 0; i < args.length; i++) {
            switch (args[i]) {
            case "--no-lists" -> o.lists = false;
            case "--own-signatures" -> o.ownSignatures = true;
            case "--gbt" -> o.gbt = true;
            case "--impostor" -> o.impostor = true;
            default -> {
                if (i + 1 == args.length) {
                    throw new IllegalArgumentException("unknown option, or no value: " + args[i]);
                }
                o.set(args[i], args[++i]);
            }
            }
        }
        if (o.client == 0) {
            o.client = o.secured() ? 1 : o.authentication == Authentication.LOW ? 32 : 16;
        }
        return o;
    }

    private void set(String key, String value) {
        switch (key) {
        case "--port" -> port = Integer.parseInt(value);
        case "--framing" -> hdlc = choice(key, value, "hdlc", "wrapper");
        case "--referencing" -> shortNames = choice(key, value, "sn", "ln");
        case "--auth" -> authentication = authentication(value);
        case "--security" -> security = security(value);
        case "--answers" -> answers = security(value);
        case "--agreement-key" -> agreementKey = hex(value);
        case "--client-agreement-key" -> clientAgreementKey = hex(value);
        case "--suite" -> suite = Integer.parseInt(value);
        case "--signing-key" -> signingKey = hex(value);
        case "--client-key" -> clientKey = hex(value);
        case "--key" -> this.key = hex(value);
        case "--auth-key" -> authenticationKey = hex(value);
        case "--title" -> title = hex(value);
        case "--counter" -> counter = Long.parseLong(value);
        case "--password" -> password = value;
        case "--client" -> client = Integer.parseInt(value);
        case "--max-info" -> maxInfo = Integer.parseInt(value);
        case "--max-pdu" -> maxPdu = Integer.parseInt(value);
        case "--rows" -> rows = Integer.parseInt(value);
        case "--last" -> last = Long.parseLong(value);
        case "--zone" -> zone = TimeZone.getTimeZone(ZoneId.of(value));
        case "--refuse" -> refused = Set.of(value.split(","));
        case "--delay" -> delay = Integer.parseInt(value);
        default -> throw new IllegalArgumentException("unknown option: " + key);
        }
    }

    /** Whether there are challenges, or protected APDUs. */
    boolean secured() {
        return high() || security != Security.NONE;
    }

    boolean high() {
        return authentication.getValue() > Authentication.LOW.getValue();
    }

    private static Authentication authentication(String name) {
        return switch (name) {
        case "none" -> Authentication.NONE;
        case "low" -> Authentication.LOW;
        case "high" -> Authentication.HIGH;
        case "high-md5" -> Authentication.HIGH_MD5;
        case "high-sha1" -> Authentication.HIGH_SHA1;
        case "high-gmac" -> Authentication.HIGH_GMAC;
        case "high-sha256" -> Authentication.HIGH_SHA256;
        case "high-ecdsa" -> Authentication.HIGH_ECDSA;
        default -> throw new IllegalArgumentException("there is no authentication " + name);
        };
    }

    private static Security security(String name) {
        return switch (name) {
        case "none" -> Security.NONE;
        case "authentication" -> Security.AUTHENTICATION;
        case "encryption" -> Security.ENCRYPTION;
        case "both" -> Security.AUTHENTICATION_ENCRYPTION;
        default -> throw new IllegalArgumentException("there is no security " + name);
        };
    }

    private static byte[] hex(String text) {
        return HexFormat.of().parseHex(text);
    }

    private static boolean choice(String key, String value, String yes, String no) {
        if (!value.equals(yes) && !value.equals(no)) {
            throw new IllegalArgumentException(key + " must be " + yes + " or " + no + ", not " + value);
        }
        return value.equals(yes);
    }
}
