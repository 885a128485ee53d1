package dlms

import (
	"context"
	"net"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/telegraf-dlms/telegraf-dlms/dlms/axdr"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/cosem"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/dlmstest"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/xdlms"
)

// fixed holds registers, and a profile of 1000 rows of 5 columns.
type fixed struct{ profile []byte }

func (o fixed) Get(client uint16, at cosem.Attribute, sel *cosem.Selection, b []byte) ([]byte, xdlms.DataAccessResult) {
	if at.Class == cosem.ProfileGeneric {
		return append(b, o.profile...), xdlms.Success
	}
	return holding{}.Get(client, at, sel, b)
}

func wideProfile() []byte {
	b := axdr.AppendArray(nil, 1000)
	for i := range uint32(1000) {
		b = axdr.AppendStructure(b, 5)
		b = axdr.AppendOctetString(b, []byte{0x07, 0xEA, 11, 24, 2, 10, byte(i % 60), 0, 0, 0xFF, 0xC4, 0})
		for j := range uint32(4) {
			b = axdr.AppendDoubleLongUnsigned(b, i*j)
		}
	}
	return b
}

// looped is an association with a test meter over TCP on loopback.
func looped(b *testing.B, framing Framing) *Association {
	b.Helper()
	cfg := dlmstest.Config{Framing: dlmstest.FramingHDLC}
	if framing == Wrapper {
		cfg.Framing = dlmstest.FramingWrapper
	}
	m := dlmstest.NewMeter(cfg, fixed{profile: wideProfile()})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(b, err)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = m.Serve(ctx, l)
	}()
	t, err := net.Dial("tcp", l.Addr().String())
	require.NoError(b, err)
	c, err := NewConn(t, ConnConfig{Framing: framing, ClientAddress: 16, LogicalAddress: 1})
	require.NoError(b, err)
	a, err := c.Associate(context.Background(), AssociationConfig{})
	require.NoError(b, err)
	b.Cleanup(func() {
		_ = c.Close()
		cancel()
		<-done
	})
	return a
}

func benchmarkFramings(b *testing.B, f func(b *testing.B, a *Association)) {
	for _, framing := range []Framing{HDLC, Wrapper} {
		b.Run(framing.String(), func(b *testing.B) { f(b, looped(b, framing)) })
	}
}

// Meter and client run in one process: what is measured is both.
func BenchmarkGetList20Loopback(b *testing.B) {
	benchmarkFramings(b, func(b *testing.B, a *Association) {
		ctx, ats := context.Background(), registers(20)
		n := 0
		each := func(_ int, _ axdr.Data, err error) {
			if err == nil {
				n++
			}
		}
		b.ReportAllocs()
		for b.Loop() {
			if err := a.GetList(ctx, ats, each); err != nil {
				b.Fatal(err)
			}
		}
		require.Equal(b, 20*b.N, n)
	})
}

func BenchmarkProfile1000x5(b *testing.B) {
	benchmarkFramings(b, func(b *testing.B, a *Association) {
		at := cosem.Attribute{Class: cosem.ProfileGeneric, Instance: [6]byte{1, 0, 99, 1, 0, 255}, ID: 2}
		n := 0
		row := func(axdr.Data) error {
			n++
			return nil
		}
		b.SetBytes(int64(len(wideProfile())))
		b.ReportAllocs()
		for b.Loop() {
			if err := a.GetRows(context.Background(), at, nil, row); err != nil {
				b.Fatal(err)
			}
		}
		require.Equal(b, 1000*b.N, n)
	})
}
