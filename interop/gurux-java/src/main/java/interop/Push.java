// SPDX-License-Identifier: GPL-2.0-only
package interop;

import gurux.dlms.GXByteBuffer;
import gurux.dlms.GXDLMSClient;
import gurux.dlms.GXDLMSNotify;
import gurux.dlms.GXDateTime;
import gurux.dlms.GXSimpleEntry;
import gurux.dlms.enums.Conformance;
import gurux.dlms.enums.DataType;
import gurux.dlms.enums.InterfaceType;
import gurux.dlms.enums.Security;
import gurux.dlms.enums.Unit;
import gurux.dlms.objects.GXDLMSCaptureObject;
import gurux.dlms.objects.GXDLMSClock;
import gurux.dlms.objects.GXDLMSData;
import gurux.dlms.objects.GXDLMSObject;
import gurux.dlms.objects.GXDLMSPushSetup;
import gurux.dlms.objects.GXDLMSRegister;
import gurux.dlms.secure.GXCiphering;
import gurux.dlms.secure.GXDLMSSecureNotify;
import java.math.BigDecimal;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Calendar;
import java.util.Date;
import java.util.EnumSet;
import java.util.HexFormat;
import java.util.List;
import java.util.Map.Entry;
import java.util.StringJoiner;
import java.util.TimeZone;

/**
 * What a meter would send unasked: prints messages of the notification classes, one JSON object per line, each with the
 * frames in order and with the values a receiver must get. What the library cannot do has "na", the reason, instead.
 */
public final class Push {
    private static final HexFormat HEX = HexFormat.of().withUpperCase();
    private static final String KEY = "000102030405060708090A0B0C0D0E0F";
    private static final String AUTH_KEY = "D0D1D2D3D4D5D6D7D8D9DADBDCDDDEDF";
    private static final byte[] TITLE = "TST\0\0\0\0\1".getBytes(StandardCharsets.ISO_8859_1);
    private static final String NAME = "0.0.42.0.0.255";
    private static final int FEW = 6;
    private static final int MANY = 36;
    private static final InterfaceType[] FRAMINGS = {InterfaceType.HDLC, InterfaceType.WRAPPER, InterfaceType.PDU};
    private static final Security[] SECURITIES = {Security.NONE, Security.AUTHENTICATION_ENCRYPTION,
        Security.ENCRYPTION, Security.AUTHENTICATION};

    /** What the registers of a message are made from; E of the OBIS code counts up when more are wanted. */
    private record Quantity(String obis, Unit unit, String symbol, int scaler, DataType type, long raw) {
    }

    private static final Quantity[] QUANTITIES = {
        new Quantity("1.0.1.8.%d.255", Unit.ACTIVE_ENERGY, "Wh", 1, DataType.UINT32, 4123456789L),
        new Quantity("1.0.2.8.%d.255", Unit.ACTIVE_ENERGY, "Wh", -3, DataType.UINT64, 98765432109876L),
        new Quantity("1.0.3.8.%d.255", Unit.REACTIVE_ENERGY, "varh", 0, DataType.INT64, -56789123456L),
        new Quantity("1.0.16.7.%d.255", Unit.ACTIVE_POWER, "W", -1, DataType.INT32, -1234567L),
        new Quantity("1.0.32.7.%d.255", Unit.VOLTAGE, "V", -2, DataType.UINT16, 23017L),
        new Quantity("1.0.31.7.%d.255", Unit.CURRENT, "A", -3, DataType.INT16, -6789L),
        new Quantity("1.0.14.7.%d.255", Unit.FREQUENCY, "Hz", 0, DataType.FLOAT32, 49977L),
        new Quantity("1.0.13.7.%d.255", Unit.NONE, "", -2, DataType.UINT8, 91L),
        new Quantity("1.0.33.7.%d.255", Unit.NO_UNIT, "", -2, DataType.INT8, -97L),
        new Quantity("1.0.9.8.%d.255", Unit.APPARENT_ENERGY, "VAh", 3, DataType.FLOAT64, 7654321L),
    };

    /** Makes the frames of a message and notes the values in it. */
    private interface Body {
        byte[][] generate(Push p) throws Exception;
    }

    private static int messages;

    private final int number = ++messages;
    private final GXDLMSNotify notify;
    private final StringJoiner expected = new StringJoiner(",", "[", "]");
    private String more = ""; // members of the object

    private Push(InterfaceType framing, Security security) {
        int server = framing == InterfaceType.HDLC && number % 2 == 0 ? GXDLMSClient.getServerAddress(1, 17) : 1;
        if (security == Security.NONE) {
            notify = new GXDLMSNotify(true, 16, server, framing);
        } else {
            GXDLMSSecureNotify secure = new GXDLMSSecureNotify(true, 16, server, framing);
            GXCiphering ciphering = secure.getCiphering();
            ciphering.setSecurity(security);
            ciphering.setSystemTitle(TITLE);
            ciphering.setBlockCipherKey(HEX.parseHex(KEY));
            ciphering.setAuthenticationKey(HEX.parseHex(AUTH_KEY));
            ciphering.setInvocationCounter(number * 1000L);
            notify = secure;
        }
        notify.getHdlcSettings().setMaxInfoTX(2000); // else longer ones are cut at 128 octets
    }

    public static void main(String[] args) {
        TimeZone.setDefault(TimeZone.getTimeZone("UTC"));
        for (Security security : SECURITIES) {
            for (InterfaceType framing : FRAMINGS) {
                notifications(framing, security);
            }
        }
        for (Security security : SECURITIES) {
            segments(security);
            for (InterfaceType framing : FRAMINGS) {
                blocks(framing, security);
                reports(framing, security);
            }
        }
        absent("data-notification blocks streamed", "the class has no setter for the window of general block transfer");
    }

    private static void notifications(InterfaceType framing, Security security) {
        print("push-setup values", framing, security, p -> p.setup(false, null, "UTC"));
        print("push-setup scaled timed", framing, security, p -> p.setup(true, p.now(), "UTC"));
        print("push-setup summer", framing, security, p -> p.setup(false, null, "Europe/Berlin"));
        print("data-notification pairs", framing, security, p -> p.pairs(null));
        print("data-notification pairs timed", framing, security, p -> p.pairs(p.now()));
        print("data-notification structures", framing, security,
            p -> p.send(null, p.structures(DataType.STRUCTURE, FEW, false)));
        print("data-notification triples", framing, security,
            p -> p.send(null, p.structures(DataType.ARRAY, FEW, true)));
        print("data-notification triples timed", framing, security,
            p -> p.send(p.now(), p.structures(DataType.STRUCTURE, FEW, true)));
    }

    private static void segments(Security security) {
        print("data-notification segments of 64", InterfaceType.HDLC, security, p -> p.many(64, 0xFFFF));
        print("data-notification segments of 128", InterfaceType.HDLC, security, p -> p.many(128, 0xFFFF));
        print("data-notification segmented blocks", InterfaceType.HDLC, security, p -> p.many(100, 250));
        print("data-notification segments without block transfer", InterfaceType.HDLC, security, p -> {
            p.notify.getHdlcSettings().setMaxInfoTX(128);
            return p.send(null, p.structures(DataType.ARRAY, MANY, true));
        });
    }

    private static void blocks(InterfaceType framing, Security security) {
        print("data-notification blocks of 128", framing, security, p -> p.many(2000, 128));
        print("data-notification blocks of 512", framing, security, p -> p.many(2000, 512));
    }

    private static void reports(InterfaceType framing, Security security) {
        print("event-notification", framing, security, p -> p.event(p.register(0, false), null));
        print("event-notification timed", framing, security, p -> p.event(p.register(0, false), p.now()));
        print("event-notification text timed", framing, security, p -> p.event(p.name(), p.now()));
        print("information-report", framing, security, Push::report);
    }

    /** The list holds the setup itself, name, clock and registers, with their scalers if they are wanted. */
    private byte[][] setup(boolean scaled, Date sent, String zone) throws Exception {
        GXDLMSPushSetup setup = new GXDLMSPushSetup("0.7.25.9.0.255");
        capture(setup, setup, 2);
        capture(setup, name(), 2);
        long seconds = Contents.START + 181 * 86400 + number; // in summer
        Calendar local = Calendar.getInstance(TimeZone.getTimeZone(zone));
        local.setTimeInMillis(seconds * 1000);
        GXDLMSClock clock = new GXDLMSClock(Contents.CLOCK);
        clock.setTime(new GXDateTime(local));
        capture(setup, clock, 2);
        expected.add("{\"obis\":\"" + Contents.CLOCK + "\",\"time\":" + seconds + "}");
        for (int i = 0; i < FEW; i++) {
            GXDLMSRegister r = register(i, scaled);
            capture(setup, r, 2);
            if (scaled) {
                capture(setup, r, 3);
            }
        }
        return notify.generatePushSetupMessages(sent, setup);
    }

    private static void capture(GXDLMSPushSetup setup, GXDLMSObject o, int attribute) {
        setup.getPushObjectList().add(new GXSimpleEntry<>(o, new GXDLMSCaptureObject(attribute, 0)));
    }

    /** One flat structure: name, value, name, value. */
    private byte[][] pairs(Date sent) throws Exception {
        List<Entry<GXDLMSObject, Integer>> list = new ArrayList<>();
        List<GXDLMSObject> objects = new ArrayList<>(List.of(name()));
        for (int i = 0; i < FEW; i++) {
            objects.add(register(i, false));
        }
        for (GXDLMSObject o : objects) {
            list.add(new GXSimpleEntry<>(o, 1));
            list.add(new GXSimpleEntry<>(o, 2));
        }
        return notify.generateDataNotificationMessages(sent, list);
    }

    /** Structures in an array or a structure: a pair for the name, then pairs or triples for the registers. */
    private GXByteBuffer structures(DataType outer, int registers, boolean scaled) {
        GXByteBuffer body = open(new GXByteBuffer(), outer, registers + 1);
        element(body, name(), 2);
        for (int i = 0; i < registers; i++) {
            element(body, register(i, scaled), scaled ? 3 : 2);
        }
        return body;
    }

    private void element(GXByteBuffer body, GXDLMSObject o, int attributes) {
        open(body, DataType.STRUCTURE, attributes);
        for (int i = 1; i <= attributes; i++) {
            notify.addData(o, i, body);
        }
    }

    private static GXByteBuffer open(GXByteBuffer b, DataType type, int elements) {
        b.setUInt8(type.getValue());
        b.setUInt8(elements);
        return b;
    }

    private byte[][] send(Date sent, GXByteBuffer body) throws Exception {
        return notify.generateDataNotificationMessages(sent, body);
    }

    private byte[][] event(GXDLMSObject o, Date sent) throws Exception {
        return notify.generateReport(sent == null ? null : new GXDateTime(sent), List.of(new GXSimpleEntry<>(o, 2)));
    }

    /** Names are short ones, that of an attribute is its object's and 8 for each before it. No time is ever sent. */
    private byte[][] report() throws Exception {
        notify.setUseLogicalNameReferencing(false);
        List<Entry<GXDLMSObject, Integer>> list = new ArrayList<>();
        StringJoiner names = new StringJoiner(",", ",\"short_names\":[", "]");
        for (int i = 0; i < FEW; i++) {
            GXDLMSRegister r = register(i, false);
            r.setShortName(0x7F00 + 0x80 * i); // some are negative where they are read as signed
            names.add("" + (r.getShortName() + 8));
            list.add(new GXSimpleEntry<>(r, 2));
        }
        byte[][] frames = notify.generateReport(new GXDateTime(now()), list);
        more = names.toString();
        return frames;
    }

    private byte[][] many(int frame, int pdu) throws Exception {
        // Without block transfer the class refuses whatever takes more than a frame, however long its PDU may be.
        notify.setConformance(EnumSet.of(Conformance.GENERAL_BLOCK_TRANSFER));
        notify.getHdlcSettings().setMaxInfoTX(frame);
        notify.setMaxReceivePDUSize(pdu);
        return send(now(), structures(DataType.ARRAY, MANY, true));
    }

    /** When the message is sent, which is then told. */
    private Date now() {
        long seconds = Contents.START + 3600L * number;
        more = ",\"time\":" + seconds;
        return new Date(seconds * 1000);
    }

    private GXDLMSData name() {
        String text = Contents.NAME.substring(0, 13) + (100 + number);
        GXDLMSData d = new GXDLMSData(NAME);
        d.setDataType(2, DataType.OCTET_STRING);
        d.setValue(text.getBytes(StandardCharsets.US_ASCII));
        expected.add("{\"obis\":\"" + NAME + "\",\"text\":\"" + text + "\"}");
        return d;
    }

    private GXDLMSRegister register(int i, boolean scaled) {
        Quantity q = QUANTITIES[(number + i) % QUANTITIES.length];
        String obis = q.obis.formatted(i / QUANTITIES.length);
        BigDecimal raw = BigDecimal.valueOf(q.raw + (number + i) % 100);
        GXDLMSRegister r = new GXDLMSRegister(obis);
        if (q.type == DataType.FLOAT32 || q.type == DataType.FLOAT64) {
            raw = raw.divide(BigDecimal.valueOf(1024)); // which is exact
        }
        r.setDataType(2, q.type);
        r.setValue(raw); // which the library turns into the type
        r.setScaler(Math.pow(10, q.scaler));
        r.setUnit(q.unit);
        expected.add("{\"obis\":\"" + obis + "\",\"value\":"
            + (scaled ? raw.scaleByPowerOfTen(q.scaler) + ",\"unit\":\"" + q.symbol + "\"}" : raw + ",\"raw\":true}"));
        return r;
    }

    private static void print(String name, InterfaceType framing, Security security, Body body) {
        Push p = new Push(framing, security);
        String kind = framing == InterfaceType.PDU ? "apdu" : framing.name().toLowerCase();
        String full = name + " " + kind + " " + (security == Security.NONE ? "plain" : security.name().toLowerCase());
        try {
            StringJoiner hex = new StringJoiner("\",\"", "[\"", "\"]");
            for (byte[] frame : body.generate(p)) {
                hex.add(HEX.formatHex(frame));
            }
            boolean plain = security == Security.NONE;
            System.out.println("{\"name\":\"" + full + "\",\"framing\":\"" + kind + "\",\"hex\":" + hex + ",\"key\":\""
                + (plain ? "" : KEY) + "\",\"auth_key\":\"" + (plain ? "" : AUTH_KEY) + "\",\"title\":\""
                + (plain ? "" : HEX.formatHex(TITLE)) + "\"" + p.more + ",\"expected\":" + p.expected + "}");
        } catch (Exception e) {
            absent(full, e.toString());
        }
    }

    private static void absent(String name, String reason) {
        System.out.println("{\"name\":\"" + name + "\",\"na\":\"" + reason.replaceAll("[\\\\\"]", "'") + "\"}");
    }
}
