package dlms

import (
	"bufio"
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/telegraf-dlms/telegraf-dlms/dlms/acse"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/axdr"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/cosem"
)

// recording is a dialog: what the client says, and what the meter says to it.
type recording struct {
	client []byte
	meter  [][]byte
}

// session reads a dialog from testdata/sessions: lines of hex after "client:"
// and "meter:", comments after "#".
func session(t *testing.T, name string) []recording {
	t.Helper()
	f, err := os.Open(filepath.Join("testdata", "sessions", name+".txt"))
	require.NoError(t, err)
	defer f.Close()
	var turns []recording
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		who, octets, _ := strings.Cut(lines.Text(), ":")
		switch {
		case who == "client":
			turns = append(turns, recording{client: unhex(t, octets)})
		case who == "meter":
			last := &turns[len(turns)-1]
			last.meter = append(last.meter, unhex(t, octets))
		default:
			require.True(t, strings.HasPrefix(lines.Text(), "#"), lines.Text())
		}
	}
	require.NoError(t, lines.Err())
	return turns
}

// replay plays the meter's part. What the client says has to be what was
// recorded, octet for octet.
func replay(t *testing.T, turns []recording) *line {
	t.Helper()
	next := 0
	return newLine(func(l *line, message []byte) {
		if next == len(turns) {
			t.Errorf("message after the end of the recording: %X", message)
			return
		}
		if want := turns[next].client; !bytes.Equal(message, want) {
			t.Errorf("message %d:\n got %X\nwant %X", next+1, message, want)
		}
		for _, b := range turns[next].meter {
			l.say(0, b)
		}
		next++
	})
}

func TestSessions(t *testing.T) {
	var (
		energy  = cosem.Attribute{Class: cosem.Register, Instance: [6]byte{1, 0, 1, 8, 0, 255}, ID: 2}
		name    = cosem.Attribute{Class: cosem.Data, Instance: [6]byte{0, 0, 42, 0, 0, 255}, ID: 2}
		first   = cosem.Attribute{Class: cosem.Data, Instance: [6]byte{0, 0, 128, 0, 0, 255}, ID: 2}
		second  = cosem.Attribute{Class: cosem.Data, Instance: [6]byte{0, 0, 128, 1, 0, 255}, ID: 2}
		low     = AssociationConfig{Mechanism: acse.Low, Password: []byte("12345678"), Conformance: 0x7E1F, MaxPDU: 0x4B0}
		plain   = AssociationConfig{Conformance: 0x1E1D}
		small   = AssociationConfig{Conformance: 0x1E1D, MaxPDU: 40}
		hdlc128 = ConnConfig{Framing: HDLC, ClientAddress: 16, LogicalAddress: 1, MaxInfo: 128}
		fifty   = "0932" + "0102030405060708091011121314151617181920212223242526272829303132333435363738394041424344454647484950"
	)
	physical := hdlc128
	physical.PhysicalAddress = 17
	tests := []struct {
		name  string
		conn  ConnConfig
		how   AssociationConfig
		read  []cosem.Attribute
		want  []string // encoded
		trips int
		err   string
	}{
		{"hdlc-none", physical, plain, []cosem.Attribute{energy, name}, []string{"0600A9C3F2", "09064D4554455231"}, 5, ""},
		{"hdlc-low", hdlc128, low, []cosem.Attribute{energy}, []string{"0600A9C3F2"}, 4, ""},
		{"hdlc-segments", hdlc128, low, []cosem.Attribute{name}, []string{"091041424330313233343536373839444546"}, 6, ""},
		{"hdlc-wrong-password", hdlc128, low, nil, nil, 3, "authentication failure (diagnostic 13)"},
		{"wrapper-list", wrapperConfig, plain, []cosem.Attribute{first, second}, []string{fifty, "0A03303030"}, 3, ""},
		{"wrapper-blocks", wrapperConfig, small, []cosem.Attribute{first}, []string{fifty}, 4, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				turns := session(t, tt.name)
				l := replay(t, turns)
				c := dialled(t, l, tt.conn)
				a, err := c.Associate(context.Background(), tt.how)
				if tt.err != "" {
					require.ErrorContains(t, err, tt.err)
				} else {
					require.NoError(t, err)
					readSession(t, a, tt.read, tt.want)
					require.NoError(t, a.Release(context.Background()))
				}
				require.Len(t, l.sent, len(turns), "the whole recording was played")
				stats := c.Stats()
				require.Equal(t, tt.trips, stats.RoundTrips)
				require.Zero(t, stats.Retries+stats.FrameErrors+stats.Dropped)
			})
		})
	}
}

// readSession reads attributes: several with a list where one is recorded.
func readSession(t *testing.T, a *Association, ats []cosem.Attribute, want []string) {
	t.Helper()
	if a.c.cfg.Framing == Wrapper && len(ats) > 1 {
		err := a.GetList(context.Background(), ats, func(i int, d axdr.Data, err error) {
			require.NoError(t, err)
			require.Equal(t, unhex(t, want[i]), []byte(d))
		})
		require.NoError(t, err)
		return
	}
	for i, at := range ats {
		d, err := a.Get(context.Background(), at, nil)
		require.NoError(t, err)
		require.Equal(t, unhex(t, want[i]), []byte(d))
	}
}
