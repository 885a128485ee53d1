// SPDX-License-Identifier: GPL-2.0-only
package interop;

import gurux.dlms.GXDLMSConnectionEventArgs;
import gurux.dlms.ValueEventArgs;
import gurux.dlms.enums.Authentication;
import gurux.dlms.enums.Conformance;
import gurux.dlms.enums.ErrorCode;
import gurux.dlms.enums.InterfaceType;
import gurux.dlms.enums.ObjectType;
import gurux.dlms.enums.SourceDiagnostic;
import gurux.dlms.objects.GXDLMSAssociationLogicalName;
import gurux.dlms.objects.GXDLMSAssociationShortName;
import gurux.dlms.objects.GXDLMSHdlcSetup;
import gurux.dlms.objects.GXDLMSObject;
import gurux.dlms.objects.GXDLMSProfileGeneric;
import gurux.dlms.objects.GXDLMSRegister;
import gurux.dlms.secure.GXDLMSSecureServer;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;

/** The server of one connection. */
final class Server extends GXDLMSSecureServer {
    private final Options options;
    private final Events events;
    private Object[][] rows = {};
    private final GXDLMSAssociationLogicalName association = new GXDLMSAssociationLogicalName();

    Server(Options options, Contents contents, Events events) {
        super(!options.shortNames, options.hdlc ? InterfaceType.HDLC : InterfaceType.WRAPPER);
        this.options = options;
        this.events = events;
        if (options.hdlc) {
            limitFrames(options.maxInfo);
        }
        setMaxReceivePDUSize(options.maxPdu);
        Set<Conformance> bits = EnumSet.of(Conformance.GET, Conformance.SELECTIVE_ACCESS,
            Conformance.BLOCK_TRANSFER_WITH_GET_OR_READ, Conformance.PRIORITY_MGMT_SUPPORTED);
        if (options.lists) {
            bits.add(Conformance.MULTIPLE_REFERENCES);
        }

        if (options.shortNames) {
            nameShortly(options, contents);
            return;
        }
        association.setClientSAP(options.client);
        association.getAuthenticationMechanismName()
            .setMechanismId(options.low ? Authentication.LOW : Authentication.NONE);
        association.setSecret(options.password.getBytes(StandardCharsets.ISO_8859_1));
        association.getXDLMSContextInfo().setMaxReceivePduSize(options.maxPdu);
        association.getXDLMSContextInfo().setMaxSendPduSize(options.maxPdu);
        getItems().add(association);
        addItems(contents);
        association.getObjectList().addAll(getItems());
        initialize();
        // Not before: initialize gives the association all services there are.
        association.getXDLMSContextInfo().setConformance(bits);
    }

    private void addItems(Contents contents) {
        for (GXDLMSObject o : contents.objects()) {
            getItems().add(o);
            if (o instanceof GXDLMSProfileGeneric p) {
                rows = Arrays.stream(p.getBuffer()).map(Object[].class::cast).toArray(Object[][]::new);
            }
        }
    }

    /** The meter in short-name referencing: base names from 7000h on, so that some are negative in the list. */
    private void nameShortly(Options options, Contents contents) {
        GXDLMSAssociationShortName list = new GXDLMSAssociationShortName();
        list.setSecret(options.password.getBytes(StandardCharsets.ISO_8859_1));
        getItems().add(list);
        addItems(contents);
        int name = 0x7000;
        for (GXDLMSObject o : getItems()) {
            if (o == list) {
                continue;
            }
            o.setShortName(o.getLogicalName().equals("0.0.42.0.0.255") ? 0xFD00 : name);
            name += 0x100;
        }
        list.getObjectList().addAll(getItems());
        initialize();
    }

    /** The limits of SNRM are those of a setup object, without which the server takes what is proposed. */
    private void limitFrames(int octets) {
        GXDLMSHdlcSetup limits = new GXDLMSHdlcSetup();
        limits.setMaximumInfoLengthReceive(octets);
        limits.setMaximumInfoLengthTransmit(octets);
        limits.setWindowSizeReceive(1);
        limits.setWindowSizeTransmit(1);
        getSettings().setHdlc(limits);
        getHdlcSettings().setMaxInfoRX(octets);
        getHdlcSettings().setMaxInfoTX(octets);
    }

    @Override
    protected boolean isTarget(int serverAddress, int clientAddress) {
        if (clientAddress != options.client) {
            return false;
        }
        if (!options.shortNames) {
            getSettings().setAssignedAssociation(association);
        }
        return true;
    }

    @Override
    protected SourceDiagnostic validateAuthentication(Authentication authentication, byte[] password) {
        if (!options.low) {
            return authentication == Authentication.NONE ? SourceDiagnostic.NONE
                : SourceDiagnostic.NOT_RECOGNISED; // the mechanism is not
        }
        if (authentication == Authentication.NONE) {
            return SourceDiagnostic.AUTHENTICATION_REQUIRED;
        }
        boolean right = authentication == Authentication.LOW
            && Arrays.equals(password, options.password.getBytes(StandardCharsets.ISO_8859_1));
        return right ? SourceDiagnostic.NONE : SourceDiagnostic.AUTHENTICATION_FAILURE;
    }

    @Override
    protected GXDLMSObject onFindObject(ObjectType type, int shortName, String logicalName) {
        return null; // what is not among the items does not exist
    }

    @Override
    public void read(ValueEventArgs[] args) {
        for (ValueEventArgs e : args) {
            if (e.getTarget() instanceof GXDLMSRegister r && e.getIndex() == 2) {
                e.setValue(r.getValue());
                e.setHandled(true);
            } else if (e.getTarget() instanceof GXDLMSProfileGeneric && e.getIndex() == 2 && e.getRowEndIndex() == 0) {
                chooseRows(e);
            }
        }
    }

    /** Selection by entry: rows are numbered from 1, the last one is included. Any other read is of all rows. */
    private void chooseRows(ValueEventArgs e) {
        GXDLMSProfileGeneric profile = (GXDLMSProfileGeneric) e.getTarget();
        if (e.getSelector() != 2) {
            profile.setBuffer(rows);
            return;
        }
        List<?> range = (List<?>) e.getParameters();
        int from = ((Number) range.get(0)).intValue();
        int to = Math.min(((Number) range.get(1)).intValue(), rows.length);
        Object[][] chosen = Arrays.copyOfRange(rows, from - 1, to);
        profile.setBuffer(chosen);
        e.setRowEndIndex(chosen.length);
    }

    @Override
    protected void write(ValueEventArgs[] args) {
        refuse(args);
    }

    @Override
    protected void action(ValueEventArgs[] args) {
        refuse(args);
    }

    private static void refuse(ValueEventArgs[] args) {
        for (ValueEventArgs e : args) {
            e.setError(ErrorCode.READ_WRITE_DENIED);
            e.setHandled(true);
        }
    }

    @Override
    protected void connected(GXDLMSConnectionEventArgs e) {
        events.say("associate");
    }

    @Override
    protected void invalidConnection(GXDLMSConnectionEventArgs e) {
        events.say("refuse");
    }

    @Override
    protected void disconnected(GXDLMSConnectionEventArgs e) {
        events.say("release");
    }
}
