// SPDX-License-Identifier: GPL-2.0-only
package interop;

import gurux.dlms.GXDateTime;
import gurux.dlms.enums.DataType;
import gurux.dlms.enums.Unit;
import gurux.dlms.objects.GXDLMSClock;
import gurux.dlms.objects.GXDLMSData;
import gurux.dlms.objects.GXDLMSExtendedRegister;
import gurux.dlms.objects.GXDLMSObject;
import gurux.dlms.objects.GXDLMSProfileGeneric;
import gurux.dlms.objects.GXDLMSRegister;
import java.util.ArrayList;
import java.util.Date;
import java.util.List;

/**
 * The objects of the meter and what they hold. Every value is fixed, so that whoever reads one knows what it must be,
 * and no value is a prefix of another's digits followed by zeros, so that a torn one is seen.
 */
final class Contents {
    static final String NAME = "INT1234567890123";
    static final String SERIAL = "87654321";
    static final String PROFILE = "1.0.99.1.0.255";
    static final String CLOCK = "0.0.1.0.0.255";
    /** 2026-01-01T00:00:00Z, in seconds. */
    static final long START = 1767225600L;
    static final long PERIOD = 900L;

    /** An OBIS code, a unit and a raw value of a register, scaler -1. */
    private record Quantity(String obis, Unit unit, long raw) {
    }

    private static final Quantity[] REGISTERS = {
        new Quantity("1.0.1.8.0.255", Unit.ACTIVE_ENERGY, 1234567891L),
        new Quantity("1.0.1.8.1.255", Unit.ACTIVE_ENERGY, 823456789L),
        new Quantity("1.0.1.8.2.255", Unit.ACTIVE_ENERGY, 411111102L),
        new Quantity("1.0.2.8.0.255", Unit.ACTIVE_ENERGY, 98765432L),
        new Quantity("1.0.3.8.0.255", Unit.REACTIVE_ENERGY, 56789123L),
        new Quantity("1.0.4.8.0.255", Unit.REACTIVE_ENERGY, 4567891L),
        new Quantity("1.0.9.8.0.255", Unit.APPARENT_ENERGY, 1345678912L),
        new Quantity("1.0.1.7.0.255", Unit.ACTIVE_POWER, 45673L),
        new Quantity("1.0.2.7.0.255", Unit.ACTIVE_POWER, 7L),
        new Quantity("1.0.3.7.0.255", Unit.REACTIVE_POWER, 3217L),
        new Quantity("1.0.9.7.0.255", Unit.APPARENT_POWER, 45789L),
        new Quantity("1.0.31.7.0.255", Unit.CURRENT, 65L),
        new Quantity("1.0.51.7.0.255", Unit.CURRENT, 71L),
        new Quantity("1.0.71.7.0.255", Unit.CURRENT, 59L),
        new Quantity("1.0.32.7.0.255", Unit.VOLTAGE, 2301L),
        new Quantity("1.0.52.7.0.255", Unit.VOLTAGE, 2297L),
        new Quantity("1.0.72.7.0.255", Unit.VOLTAGE, 2312L),
        new Quantity("1.0.14.7.0.255", Unit.FREQUENCY, 499L),
        new Quantity("1.0.13.7.0.255", Unit.NONE, 9L),
        new Quantity("1.0.10.8.0.255", Unit.APPARENT_ENERGY, 4294967295L),
    };

    private static final Quantity[] EXTENDED = {
        new Quantity("1.0.1.6.0.255", Unit.ACTIVE_POWER, 98761L),
        new Quantity("1.0.2.6.0.255", Unit.ACTIVE_POWER, 12343L),
        new Quantity("1.0.3.6.0.255", Unit.REACTIVE_POWER, 22229L),
    };

    private static final int COLUMNS = 4;

    private final int rows;
    private final long first; // time of the first row
    private final long now; // the clock, which stands still

    Contents(Options options) {
        rows = options.rows;
        first = options.last == 0 ? START : options.last - PERIOD * (rows - 1);
        now = options.last == 0 ? START : options.last;
    }

    /** Objects of their own for one connection. */
    List<GXDLMSObject> objects() {
        List<GXDLMSObject> list = new ArrayList<>();
        list.add(data("0.0.42.0.0.255", DataType.OCTET_STRING, NAME.getBytes()));
        list.add(data("0.0.96.1.0.255", DataType.STRING, SERIAL));
        list.add(data("0.0.96.6.0.255", DataType.UINT32, 31536001L));
        list.add(data("0.0.96.3.10.255", DataType.BOOLEAN, Boolean.TRUE));
        list.add(data("0.0.96.5.0.255", DataType.INT16, -1234));
        GXDLMSClock clock = new GXDLMSClock(CLOCK);
        clock.setTime(time(now));
        list.add(clock);
        List<GXDLMSRegister> registers = new ArrayList<>();
        for (Quantity q : REGISTERS) {
            registers.add(fill(new GXDLMSRegister(q.obis), q));
        }
        list.addAll(registers);
        for (Quantity q : EXTENDED) {
            GXDLMSExtendedRegister r = new GXDLMSExtendedRegister(q.obis);
            fill(r, q);
            r.setStatus(3L);
            r.setDataType(4, DataType.UINT8);
            r.setCaptureTime(time(now - PERIOD));
            list.add(r);
        }
        list.add(profile(clock, registers));
        return list;
    }

    private GXDLMSProfileGeneric profile(GXDLMSClock clock, List<GXDLMSRegister> registers) {
        GXDLMSProfileGeneric p = new GXDLMSProfileGeneric(PROFILE);
        p.addCaptureObject(clock, 2, 0);
        for (int i = 0; i < COLUMNS; i++) {
            p.addCaptureObject(registers.get(i), 2, 0);
        }
        for (int i = 0; i < rows; i++) {
            Object[] row = new Object[COLUMNS + 1];
            row[0] = time(first + PERIOD * i);
            for (int j = 1; j <= COLUMNS; j++) {
                row[j] = cell(i, j);
            }
            p.addRow(row);
        }
        p.setEntriesInUse(rows);
        p.setProfileEntries(rows);
        return p;
    }

    private static GXDLMSData data(String obis, DataType type, Object value) {
        GXDLMSData d = new GXDLMSData(obis);
        d.setDataType(2, type);
        d.setValue(value);
        return d;
    }

    private static GXDLMSRegister fill(GXDLMSRegister r, Quantity q) {
        r.setScaler(0.1);
        r.setUnit(q.unit);
        r.setDataType(2, DataType.UINT32);
        // The class divides what it is given by the scaler before it sends it: Meter.read gives the raw number instead.
        r.setValue(q.raw);
        return r;
    }

    private static GXDateTime time(long seconds) {
        return new GXDateTime(new Date(seconds * 1000));
    }

    static long cell(int row, int column) {
        return 1000000L * column + row * 7L;
    }

    /** One line: what a reader of this meter must get. Values of registers are raw, before the scaler. */
    String json(boolean secured) {
        StringBuilder s = new StringBuilder("{\"name\":\"" + NAME + "\",\"serial\":\"" + SERIAL + "\",\"clock\":" + now);
        s.append(",\"data\":[{\"obis\":\"0.0.96.6.0.255\",\"value\":31536001},{\"obis\":\"0.0.96.5.0.255\",\"value\":-1234}]");
        // Association, names, flag, clock and profile; security setup and invocation counter.
        s.append(",\"others\":").append(secured ? 8 : 6);
        quantities(s.append(",\"registers\":"), REGISTERS);
        quantities(s.append(",\"extended\":"), EXTENDED);
        s.append(",\"profile\":{\"obis\":\"" + PROFILE + "\",\"columns\":[");
        for (int j = 0; j < COLUMNS; j++) {
            s.append(j == 0 ? "\"" : ",\"").append(REGISTERS[j].obis).append('"');
        }
        s.append("],\"rows\":[");
        for (int i = 0; i < rows; i++) {
            s.append(i == 0 ? "[" : ",[").append(first + PERIOD * i);
            for (int j = 1; j <= COLUMNS; j++) {
                s.append(',').append(cell(i, j));
            }
            s.append(']');
        }
        return s.append("]}}").toString();
    }

    private static void quantities(StringBuilder s, Quantity[] list) {
        char separator = '[';
        for (Quantity q : list) {
            s.append(separator).append("{\"obis\":\"").append(q.obis).append("\",\"raw\":").append(q.raw)
                .append(",\"scaler\":-1,\"unit\":").append(q.unit.getValue()).append('}');
            separator = ',';
        }
        s.append(']');
    }
}
