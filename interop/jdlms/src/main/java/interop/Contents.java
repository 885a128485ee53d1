// SPDX-License-Identifier: GPL-3.0-only
package interop;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.openmuc.jdlms.AttributeAccessMode;
import org.openmuc.jdlms.CosemAttribute;
import org.openmuc.jdlms.CosemClass;
import org.openmuc.jdlms.CosemInterfaceObject;
import org.openmuc.jdlms.datatypes.DataObject;
import org.openmuc.jdlms.datatypes.DataObject.Type;

/** The objects of the meter and what they hold: every value is fixed. */
final class Contents {
    static final String NAME = "INT9876543210987";
    static final long NUMBER = 543210987L;
    private static final String SERIAL = "76543210";
    private static final long COUNTER = 41536007L;
    static final String CLOCK = "0.0.1.0.0.255";
    private static final int COLUMNS = 4;
    private static final byte SCALER = -1;

    private record Quantity(String obis, int unit, long raw) {
    }

    private static final Quantity[] REGISTERS = {
        new Quantity("1.0.1.8.0.255", 30, 2134567891L),
        new Quantity("1.0.1.8.1.255", 30, 923456781L),
        new Quantity("1.0.1.8.2.255", 30, 311111103L),
        new Quantity("1.0.2.8.0.255", 30, 88765431L),
        new Quantity("1.0.3.8.0.255", 32, 46789127L),
        new Quantity("1.0.9.8.0.255", 31, 1245678919L),
        new Quantity("1.0.1.7.0.255", 27, 35677L),
        new Quantity("1.0.3.7.0.255", 29, 2219L),
        new Quantity("1.0.31.7.0.255", 33, 55L),
        new Quantity("1.0.32.7.0.255", 35, 2311L),
        new Quantity("1.0.14.7.0.255", 44, 501L),
        new Quantity("1.0.10.8.0.255", 31, 4294967295L),
    };

    private Contents() {
    }

    static List<CosemInterfaceObject> objects(Options options) {
        List<CosemInterfaceObject> list = new ArrayList<>();
        list.add(new Text("0.0.96.1.0.255", SERIAL));
        list.add(new Counter("0.0.96.6.0.255", COUNTER));
        list.add(new Clock(options));
        list.add(new Profile(options));
        for (Quantity q : REGISTERS) {
            list.add(new Register(q));
        }
        return list;
    }

    @CosemClass(id = 1)
    public static final class Text extends CosemInterfaceObject {
        @CosemAttribute(id = 2, type = Type.OCTET_STRING, accessMode = AttributeAccessMode.READ_ONLY)
        private final DataObject value;

        Text(String obis, String text) {
            super(obis);
            value = DataObject.newOctetStringData(text.getBytes());
        }
    }

    @CosemClass(id = 1)
    public static final class Counter extends CosemInterfaceObject {
        @CosemAttribute(id = 2, type = Type.DOUBLE_LONG_UNSIGNED, accessMode = AttributeAccessMode.READ_ONLY)
        private final DataObject value;

        Counter(String obis, long number) {
            super(obis);
            value = DataObject.newUInteger32Data(number);
        }
    }

    @CosemClass(id = 3)
    public static final class Register extends CosemInterfaceObject {
        @CosemAttribute(id = 2, type = Type.DOUBLE_LONG_UNSIGNED, accessMode = AttributeAccessMode.READ_ONLY)
        private final DataObject value;

        @CosemAttribute(id = 3, type = Type.STRUCTURE, accessMode = AttributeAccessMode.READ_ONLY)
        private final DataObject scalerAndUnit;

        Register(Quantity q) {
            super(q.obis);
            value = DataObject.newUInteger32Data(q.raw);
            scalerAndUnit = DataObject.newStructureData(DataObject.newInteger8Data(SCALER), DataObject.newEnumerateData(q.unit));
        }
    }

    /** A clock that stands still. */
    @CosemClass(id = 8)
    public static final class Clock extends CosemInterfaceObject {
        @CosemAttribute(id = 2, type = Type.OCTET_STRING, accessMode = AttributeAccessMode.READ_ONLY)
        private final DataObject time;

        Clock(Options options) {
            super(CLOCK);
            time = DataObject.newOctetStringData(Times.encode(options.clock(), options.zone()));
        }
    }

    /** The registers in the profile. */
    static List<String> columns() {
        return Arrays.stream(REGISTERS).limit(COLUMNS).map(Quantity::obis).toList();
    }

    static byte[] octets(String obis) {
        byte[] b = new byte[6];
        String[] groups = obis.split("\\.");
        for (int i = 0; i < b.length; i++) {
            b[i] = (byte) Integer.parseInt(groups[i]);
        }
        return b;
    }

    /** One line: what a reader of this meter must get. Values of registers are raw, before the scaler. */
    static String json(Options options) {
        StringBuilder s = new StringBuilder("{\"name\":\"" + NAME + "\",\"serial\":\"" + SERIAL + "\",\"clock\":" + options.clock());
        s.append(",\"data\":[{\"obis\":\"0.0.96.6.0.255\",\"value\":" + COUNTER + "}]");
        // What the library adds (association, security setup, SAP assignment, name), serial number, clock and profile.
        s.append(",\"others\":7,\"registers\":");
        char separator = '[';
        for (Quantity q : REGISTERS) {
            s.append(separator).append("{\"obis\":\"").append(q.obis).append("\",\"raw\":").append(q.raw)
                .append(",\"scaler\":").append(SCALER).append(",\"unit\":").append(q.unit).append('}');
            separator = ',';
        }
        return s.append("],\"profile\":").append(Profile.json(options)).append('}').toString();
    }
}
