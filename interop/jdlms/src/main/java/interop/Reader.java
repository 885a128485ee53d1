// SPDX-License-Identifier: GPL-3.0-only
package interop;

import com.sun.management.OperatingSystemMXBean;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.net.InetAddress;
import java.time.Instant;
import java.time.OffsetDateTime;
import java.time.ZoneOffset;
import java.util.List;
import org.openmuc.jdlms.AccessResultCode;
import org.openmuc.jdlms.AttributeAddress;
import org.openmuc.jdlms.DlmsConnection;
import org.openmuc.jdlms.GetResult;
import org.openmuc.jdlms.ObisCode;
import org.openmuc.jdlms.SelectiveAccessDescription;
import org.openmuc.jdlms.TcpConnectionBuilder;
import org.openmuc.jdlms.datatypes.CosemDateFormat.Field;
import org.openmuc.jdlms.datatypes.CosemDateTime;
import org.openmuc.jdlms.datatypes.DataObject;

/**
 * Reads a range of a load profile, again and again, and prints what it took. The arguments are host, port, framing, the two
 * ends in Unix seconds, and how often it is read. One line for each: rows, sum of all numbers, nanoseconds of time and of this process.
 */
public final class Reader {
    private static final int PROFILE = 7;
    private static final int CLOCK = 8;
    private static final int RANGE = 1;
    private static final int MINUTE = 60;
    private static final byte[] CLOCK_NAME = {0, 0, 1, 0, 0, (byte) 255};

    private Reader() {
    }

    public static void main(String[] args) throws IOException {
        TcpConnectionBuilder builder = new TcpConnectionBuilder(InetAddress.getByName(args[0])).setPort(Integer.parseInt(args[1]))
            .setClientId(16).setLogicalDeviceId(1);
        if ("hdlc".equals(args[2])) {
            builder.useHdlc();
            builder.setHdlcMaxInformationLength(1024);
        } else {
            builder.useWrapper();
        }
        DataObject clock = DataObject.newStructureData(DataObject.newUInteger16Data(CLOCK), DataObject.newOctetStringData(CLOCK_NAME),
            DataObject.newInteger8Data((byte) 2), DataObject.newUInteger16Data(0));
        DataObject range = DataObject.newStructureData(clock, time(args[3]), time(args[4]), DataObject.newArrayData(List.of()));
        AttributeAddress buffer = new AttributeAddress(PROFILE, new ObisCode(1, 0, 99, 1, 0, 255), 2, new SelectiveAccessDescription(RANGE, range));
        OperatingSystemMXBean process = ManagementFactory.getPlatformMXBean(OperatingSystemMXBean.class);
        try (DlmsConnection connection = builder.build()) {
            for (int i = 0; i < Integer.parseInt(args[5]); i++) {
                long began = System.nanoTime();
                long used = process.getProcessCpuTime();
                GetResult result = connection.get(buffer);
                if (result.getResultCode() != AccessResultCode.SUCCESS) {
                    throw new IOException("result " + result.getResultCode());
                }
                List<DataObject> rows = result.getResultData().getValue();
                long sum = 0;
                for (DataObject row : rows) {
                    sum += sum(row);
                }
                long took = System.nanoTime() - began;
                System.out.println(rows.size() + " " + sum + " " + took + " " + (process.getProcessCpuTime() - used));
            }
        }
        System.exit(0);
    }

    private static DataObject time(String seconds) {
        OffsetDateTime t = Instant.ofEpochSecond(Long.parseLong(seconds)).atOffset(ZoneOffset.UTC);
        return DataObject.newOctetStringData(new CosemDateTime(t.getYear(), t.getMonthValue(), t.getDayOfMonth(), t.getHour(), t.getMinute(),
            t.getSecond(), 0).encode());
    }

    /** Takes the time of a row, and adds up its numbers. */
    private static long sum(DataObject row) {
        List<DataObject> cells = row.getValue();
        CosemDateTime t = CosemDateTime.decode(cells.get(0).getValue());
        OffsetDateTime when = OffsetDateTime.of(t.get(Field.YEAR), t.get(Field.MONTH), t.get(Field.DAY_OF_MONTH), t.get(Field.HOUR),
            t.get(Field.MINUTE), t.get(Field.SECOND), 0, ZoneOffset.ofTotalSeconds(-MINUTE * t.get(Field.DEVIATION)));
        if (when.toEpochSecond() <= 0) {
            throw new IllegalStateException("a row without time");
        }
        long sum = 0;
        for (DataObject cell : cells.subList(1, cells.size())) {
            sum += cell.<Number>getValue().longValue();
        }
        return sum;
    }
}
