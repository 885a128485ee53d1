// SPDX-License-Identifier: GPL-3.0-only
package interop;

import java.time.DateTimeException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;
import org.openmuc.jdlms.AccessResultCode;
import org.openmuc.jdlms.AttributeAccessMode;
import org.openmuc.jdlms.CosemAttribute;
import org.openmuc.jdlms.CosemClass;
import org.openmuc.jdlms.CosemInterfaceObject;
import org.openmuc.jdlms.IllegalAttributeAccessException;
import org.openmuc.jdlms.SelectiveAccessDescription;
import org.openmuc.jdlms.datatypes.DataObject;
import org.openmuc.jdlms.datatypes.DataObject.Type;

/** A load profile: the clock and the first registers, a row each 15 minutes. */
@CosemClass(id = 7, version = 1)
public final class Profile extends CosemInterfaceObject {
    static final String OBIS = "1.0.99.1.0.255";
    static final int PERIOD = 900;
    private static final int FIRST_IN_FIRST_OUT = 1;
    private static final int RANGE = 1;
    private static final int ENTRIES = 2;

    private final Options options;
    private final List<DataObject> columns = new ArrayList<>();

    @CosemAttribute(id = 2, type = Type.ARRAY, accessMode = AttributeAccessMode.READ_ONLY, selector = {RANGE, ENTRIES})
    private DataObject buffer;

    @CosemAttribute(id = 3, type = Type.ARRAY, accessMode = AttributeAccessMode.READ_ONLY)
    private final DataObject captureObjects;

    @CosemAttribute(id = 4, type = Type.DOUBLE_LONG_UNSIGNED, accessMode = AttributeAccessMode.READ_ONLY)
    private final DataObject capturePeriod = DataObject.newUInteger32Data(PERIOD);

    @CosemAttribute(id = 5, type = Type.ENUMERATE, accessMode = AttributeAccessMode.READ_ONLY)
    private final DataObject sortMethod = DataObject.newEnumerateData(FIRST_IN_FIRST_OUT);

    @CosemAttribute(id = 6, type = Type.STRUCTURE, accessMode = AttributeAccessMode.READ_ONLY)
    private final DataObject sortObject;

    @CosemAttribute(id = 7, type = Type.DOUBLE_LONG_UNSIGNED, accessMode = AttributeAccessMode.READ_ONLY)
    private final DataObject entriesInUse;

    @CosemAttribute(id = 8, type = Type.DOUBLE_LONG_UNSIGNED, accessMode = AttributeAccessMode.READ_ONLY)
    private final DataObject profileEntries;

    Profile(Options options) {
        super(OBIS);
        this.options = options;
        columns.add(column(8, Contents.CLOCK));
        for (String register : Contents.columns()) {
            columns.add(column(3, register));
        }
        captureObjects = DataObject.newArrayData(columns);
        sortObject = columns.get(0);
        entriesInUse = DataObject.newUInteger32Data(options.rows());
        profileEntries = DataObject.newUInteger32Data(options.rows());
    }

    private static DataObject column(int type, String obis) {
        return DataObject.newStructureData(DataObject.newUInteger16Data(type), DataObject.newOctetStringData(Contents.octets(obis)),
            DataObject.newInteger8Data((byte) 2), DataObject.newUInteger16Data(0));
    }

    /** The rows that are asked for; the library calls this. */
    public DataObject getBuffer(SelectiveAccessDescription selection) throws IllegalAttributeAccessException {
        if (selection == null) {
            say("whole");
            return rows(0, options.rows(), all(1, 0));
        }
        try {
            List<DataObject> parameters = selection.getAccessParameter().getValue();
            return switch (selection.getAccessSelector()) {
            case RANGE -> range(parameters);
            case ENTRIES -> entries(parameters);
            default -> throw new IllegalAttributeAccessException(AccessResultCode.OTHER_REASON);
            };
        } catch (ClassCastException | IndexOutOfBoundsException | DateTimeException e) {
            System.err.println("selection: " + e);
            throw new IllegalAttributeAccessException(AccessResultCode.TYPE_UNMATCHED, e);
        }
    }

    /** Tells how rows were read. */
    private static void say(String how) {
        System.err.println("event " + how + " 0");
        System.err.flush();
    }

    /** By the time of the rows, both ends included. */
    private DataObject range(List<DataObject> parameters) throws IllegalAttributeAccessException {
        byte[] from = parameters.get(1).getValue();
        byte[] to = parameters.get(2).getValue();
        if (options.refused().contains("range")
            || options.refused().contains("deviation") && (Times.hasDeviation(from) || Times.hasDeviation(to))) {
            throw new IllegalAttributeAccessException(AccessResultCode.SCOPE_OF_ACCESS_VIOLATED);
        }
        long begin = Times.decode(from, options.zone());
        long end = Times.decode(to, options.zone());
        int first = 0;
        while (first < options.rows() && options.time(first) < begin) {
            first++;
        }
        int after = first;
        while (after < options.rows() && options.time(after) <= end) {
            after++;
        }
        say("range");
        return rows(first, after, chosen(parameters.get(3).getValue()));
    }

    /** Columns by their objects; none stands for all. */
    private static List<Integer> chosen(List<DataObject> objects) {
        List<byte[]> codes = new ArrayList<>();
        codes.add(Contents.octets(Contents.CLOCK));
        Contents.columns().forEach(c -> codes.add(Contents.octets(c)));
        return IntStream.rangeClosed(1, codes.size()).boxed().filter(j -> objects.isEmpty() || objects.stream().anyMatch(o -> {
            List<DataObject> parts = o.getValue();
            byte[] code = parts.get(1).getValue();
            return Arrays.equals(code, codes.get(j - 1));
        })).toList();
    }

    /** By number, from 1; 0 stands for the last. */
    private DataObject entries(List<DataObject> parameters) throws IllegalAttributeAccessException {
        if (options.refused().contains("entries")) {
            throw new IllegalAttributeAccessException(AccessResultCode.SCOPE_OF_ACCESS_VIOLATED);
        }
        say("entries");
        int to = number(parameters, 1);
        return rows(Math.max(number(parameters, 0), 1) - 1, to == 0 ? options.rows() : Math.min(to, options.rows()),
            all(number(parameters, 2), number(parameters, 3)));
    }

    /** Columns by number, likewise. */
    private List<Integer> all(int from, int to) {
        return IntStream.rangeClosed(from, to == 0 ? columns.size() : to).boxed().toList();
    }

    private static int number(List<DataObject> parameters, int i) {
        Number n = parameters.get(i).getValue();
        return n.intValue();
    }

    /** Rows counted from 0, the end not included; columns counted from 1. */
    private DataObject rows(int from, int after, List<Integer> chosen) {
        List<DataObject> list = new ArrayList<>();
        for (int i = from; i < after; i++) {
            List<DataObject> row = new ArrayList<>();
            for (int j : chosen) {
                row.add(j == 1 ? DataObject.newOctetStringData(Times.encode(options.time(i), options.zone()))
                    : DataObject.newUInteger32Data(cell(i, j - 1)));
            }
            list.add(DataObject.newStructureData(row));
        }
        return DataObject.newArrayData(list);
    }

    private static long cell(int row, int column) {
        return 2000000L * column + row * 11L;
    }

    /** What a reader must get: Unix seconds and raw values. */
    static String json(Options options) {
        StringBuilder s = new StringBuilder("{\"obis\":\"" + OBIS + "\",\"columns\":[");
        List<String> registers = Contents.columns();
        for (int j = 0; j < registers.size(); j++) {
            s.append(j == 0 ? "\"" : ",\"").append(registers.get(j)).append('"');
        }
        s.append("],\"rows\":[");
        for (int i = 0; i < options.rows(); i++) {
            s.append(i == 0 ? "[" : ",[").append(options.time(i));
            for (int j = 1; j <= registers.size(); j++) {
                s.append(',').append(cell(i, j));
            }
            s.append(']');
        }
        return s.append("]}").toString();
    }
}
