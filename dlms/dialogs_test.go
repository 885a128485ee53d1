package dlms

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/telegraf-dlms/telegraf-dlms/dlms/acse"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/axdr"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/cosem"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/hdlc"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/xdlms"
)

// dialog reads a dialog recorded with a real meter from the folder of captures,
// DLMS_SHARED/dialogs, and skips the test where there is none.
func dialog(t *testing.T, name string) []recording {
	t.Helper()
	folder := os.Getenv("DLMS_SHARED")
	if folder == "" {
		folder = filepath.Join("..", "..", "shared")
	}
	b, err := os.ReadFile(filepath.Join(folder, "dialogs", name+".json"))
	if err != nil {
		t.Skip("no recorded dialogs: ", err)
	}
	var file struct {
		Dialog []struct{ Dir, Hex string }
	}
	require.NoError(t, json.Unmarshal(b, &file))
	require.NotEmpty(t, file.Dialog)
	turns := []recording{{}}
	for _, message := range file.Dialog {
		if message.Dir == "client" {
			turns = append(turns, recording{client: unhex(t, message.Hex)})
			continue
		}
		last := &turns[len(turns)-1]
		last.meter = append(last.meter, unhex(t, message.Hex))
	}
	return turns
}

func TestDialogCircutor(t *testing.T) {
	turns := dialog(t, "dlg-circutor-gosem")[1:]
	bubble(t, func(t *testing.T) {
		l := replay(t, turns)
		c := dialled(t, l, ConnConfig{Framing: HDLC, ClientAddress: 2, LogicalAddress: 1, PhysicalAddress: 16, MaxInfo: 128})
		a, err := c.Associate(context.Background(), AssociationConfig{
			Mechanism: acse.Low, Password: []byte("00000001"), Conformance: 0x181F, MaxPDU: 512,
		})
		require.NoError(t, err)
		require.Equal(t, Parameters{Conformance: 0x1014, Granted: 0x1014, MaxPDU: 240}, a.Parameters())
		d, err := a.Get(context.Background(), cosem.Attribute{Class: cosem.Data, Instance: [6]byte{1, 0, 0, 2, 0, 255}, ID: 2}, nil)
		require.NoError(t, err)
		text, ok := d.Octets()
		require.True(t, ok)
		require.Equal(t, "V0411", string(text))
		require.Len(t, l.sent, len(turns))
	})
}

func TestDialogRejected(t *testing.T) {
	turns := dialog(t, "dlg-lg-aare-reject-no-userinfo")
	bubble(t, func(t *testing.T) {
		l := newLine(nil)
		m := &hdlcMeter{app: func([]byte) []byte { return nil }}
		m.frame = func(_ *hdlcMeter, l *line, f hdlc.Frame) bool {
			if f.Control.Kind() == hdlc.I {
				l.say(0, turns[0].meter[0])
			}
			return false
		}
		l.answer = m.answer
		c := dialled(t, l, ConnConfig{Framing: HDLC, ClientAddress: 16, LogicalAddress: 1, AddressSize: 2})
		_, err := c.Associate(context.Background(), AssociationConfig{Mechanism: acse.Low, Password: []byte("x")})
		var reject *RejectError
		require.ErrorAs(t, err, &reject)
		require.Equal(t, acse.RejectedPermanent, reject.Result)
		require.Equal(t, acse.Diagnostic{Source: acse.ServiceUser, Code: 13}, reject.Diagnostic)
	})
}

func TestDialogMEM600(t *testing.T) {
	turns := dialog(t, "dlg-mem600-ua-4byte")
	bubble(t, func(t *testing.T) {
		m := &hdlcMeter{app: meterApp(allServices, 1024, values)}
		m.frame = func(_ *hdlcMeter, l *line, f hdlc.Frame) bool {
			if f.Control.Kind() == hdlc.SNRM {
				l.say(0, turns[0].meter[0])
				return true
			}
			return false
		}
		l := newLine(m.answer)
		a := associated(t, l, ConnConfig{Framing: HDLC, ClientAddress: 1, LogicalAddress: 1, PhysicalAddress: 2836})
		require.Equal(t, 0xF2-llcOctets, a.c.link.room())
	})
}

func TestDialogEcho(t *testing.T) {
	turns := dialog(t, "dlg-echo-half-duplex")[1:]
	bubble(t, func(t *testing.T) {
		l := newLine(func(l *line, message []byte) {
			if len(l.sent) == 1 {
				l.say(0, turns[0].meter[0])
			}
		})
		f, _, err := hdlc.CutFrame(turns[0].client)
		require.NoError(t, err)
		c := dialled(t, l, ConnConfig{
			Framing: HDLC, ClientAddress: f.Source.Upper,
			LogicalAddress: f.Destination.Upper, PhysicalAddress: f.Destination.Lower,
		})
		_, err = c.Associate(context.Background(), AssociationConfig{})
		var timeout *TimeoutError
		require.ErrorAs(t, err, &timeout)
		require.True(t, timeout.Echo || timeout.FrameErrors > 0)
		require.Positive(t, timeout.Received)
	})
}

func TestDialogProfileBlocks(t *testing.T) {
	turns := dialog(t, "dlg-profile-blocks")[1:]
	var joined []byte
	blocks := 0
	for _, turn := range turns {
		for _, b := range append([][]byte{turn.client}, turn.meter...) {
			f, _, err := hdlc.CutFrame(b)
			require.NoError(t, err)
			require.Equal(t, byte(0xE6), f.Info[0])
			if f.Info[3] != byte(xdlms.TagGetResponse) {
				_, err := xdlms.ParseGetRequest(f.Info[3:])
				require.NoError(t, err)
				continue
			}
			r, err := xdlms.ParseGetResponse(f.Info[3:])
			require.NoError(t, err)
			if r.Type == xdlms.GetBlock {
				blocks++
				joined = append(joined, r.Raw...)
			}
		}
	}
	require.Equal(t, 3, blocks)
	require.Equal(t, []byte{1, 0x82, 0x03, 0xD7}, joined[:4])

	// The blocks in between are not recorded: the first rows come all the same, and then the error.
	bubble(t, func(t *testing.T) {
		n := 0
		cutter := rowCutter{c: &Conn{cfg: ConnConfig{MaxDepth: 32}}, op: operation{name: "GET"}, limit: 1 << 20, row: func(row axdr.Data) error {
			n++
			require.GreaterOrEqual(t, row.Len(), 2)
			return nil
		}}
		first := bytes.Clone(joined[:0x7C])
		require.NoError(t, cutter.take(first, false))
		require.Positive(t, n)
		require.Equal(t, 983, cutter.count)
	})
}
