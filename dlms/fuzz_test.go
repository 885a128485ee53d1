package dlms

import (
	"bytes"
	"context"
	"io"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/telegraf-dlms/telegraf-dlms/dlms/axdr"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/wrapper"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/xdlms"
)

// pieces is a Transport for fuzzing: each message written is answered by the
// next piece of the input, and the end of the input is that of the stream. It
// never blocks.
type pieces struct {
	left    []byte
	ready   []byte
	answers func(message, piece []byte) []byte
	writes  int
}

func (p *pieces) Write(b []byte) (int, error) {
	if p.writes++; len(p.left) > 0 {
		n := min(int(p.left[0])+1, len(p.left)-1)
		p.ready = append(p.ready, p.answers(b, p.left[1:1+n])...)
		p.left = p.left[1+n:]
	}
	return len(b), nil
}

func (p *pieces) Read(b []byte) (int, error) {
	if len(p.ready) == 0 {
		return 0, io.EOF
	}
	n := copy(b, p.ready)
	p.ready = p.ready[n:]
	return n, nil
}

func (p *pieces) Close() error                     { return nil }
func (p *pieces) SetReadDeadline(time.Time) error  { return nil }
func (p *pieces) SetWriteDeadline(time.Time) error { return nil }

// exercise does all that a Conn can do.
func exercise(t *testing.T, p *pieces, cfg ConnConfig) {
	ctx := context.Background()
	c, err := NewConn(p, cfg)
	require.NoError(t, err)
	a, err := c.Associate(ctx, AssociationConfig{})
	if err != nil {
		require.NotEmpty(t, err.Error())
		return
	}
	ats := registers(3)
	next := 0
	err = a.GetList(ctx, ats, func(i int, d axdr.Data, err error) {
		require.Equal(t, next, i)
		next++
		require.Equal(t, d == nil, err != nil)
	})
	require.Equal(t, len(ats), next)
	if err != nil {
		require.NotEmpty(t, err.Error())
	}
	_, _ = a.Get(ctx, ats[0], nil)
	_ = a.GetRows(ctx, ats[0], nil, func(row axdr.Data) error {
		_, err := axdr.Parse(row)
		require.NoError(t, err, "a row is one whole element")
		return nil
	})
	_ = a.Release(ctx)
	require.Less(t, p.writes, 2000)
	require.Less(t, len(c.rx), 1<<18)
	_ = c.Close()
}

var fuzzConfig = ConnConfig{ClientAddress: 16, LogicalAddress: 1, MaxAPDU: 1 << 16, MaxBlocks: 100}

// FuzzConn has random octets for the meter's answers, as they are.
func FuzzConn(f *testing.F) {
	ua, aare := "7EA00721037301407E", "7EA0380321300000"
	for _, hdlc := range []bool{true, false} {
		f.Add([]byte{}, hdlc)
		f.Add(unhex(f, "08"+ua), hdlc)
		f.Add(unhex(f, "08"+ua+"07"+aare), hdlc)
		f.Add(unhex(f, "0A 0001000100100003D80101 FF"), hdlc)
	}
	f.Fuzz(func(t *testing.T, b []byte, hdlc bool) {
		cfg := fuzzConfig
		if cfg.Framing = Wrapper; hdlc {
			cfg.Framing = HDLC
		}
		exercise(t, &pieces{left: b, answers: func(_, piece []byte) []byte { return piece }}, cfg)
	})
}

// FuzzAPDUs has random octets for the APDUs in the meter's answers; the frames
// around them are good, the first answer accepts the association, and invoke
// ids fit, so that what is inside gets its chance.
func FuzzAPDUs(f *testing.F) {
	seeds := [][]byte{
		values(xdlms.GetRequest{Type: xdlms.GetNormal, Attributes: registers(1)}),
		values(xdlms.GetRequest{Type: xdlms.GetWithList, Attributes: registers(3)}),
		xdlms.AppendGetResponseBlock(nil, 0, false, 1, profile(2)[:5]),
		xdlms.AppendGetResponseBlock(nil, 0, true, 2, profile(2)[5:]),
		{0xD8, 1, 1}, {0x0E, 5, 1, 1}, {0x0F, 0, 0, 0, 0, 0, 0}, {0xC4, 1, 0, 1, 4},
	}
	for _, framing := range []bool{true, false} {
		var all []byte
		for _, s := range seeds {
			one := append([]byte{byte(len(s) - 1)}, s...)
			all = append(all, one...)
			f.Add(bytes.Repeat(one, 6), framing)
		}
		f.Add(all, framing)
	}
	f.Fuzz(func(t *testing.T, b []byte, hdlc bool) {
		reply := func(apdu, piece []byte) []byte {
			if apdu[0] == byte(xdlms.TagAARQ) {
				return aare(allServices, 1024)
			}
			piece = bytes.Clone(piece)
			if len(piece) > 2 && piece[0] == byte(xdlms.TagGetResponse) {
				piece[2] = apdu[2]
			}
			return piece
		}
		cfg := fuzzConfig
		if hdlc {
			cfg.Framing = HDLC
			exercise(t, &pieces{left: b, answers: framed(reply)}, cfg)
			return
		}
		cfg.Framing = Wrapper
		exercise(t, &pieces{left: b, answers: func(message, piece []byte) []byte {
			h, apdu, _, err := wrapper.Cut(message)
			require.NoError(t, err)
			return wrapped(h, reply(apdu, piece))
		}}, cfg)
	})
}

// framed answers frames by frames.
func framed(reply func(apdu, piece []byte) []byte) func(message, piece []byte) []byte {
	var piece []byte
	m := &hdlcMeter{app: func(apdu []byte) []byte { return reply(apdu, piece) }}
	return func(message, next []byte) []byte {
		piece = next
		l := newLine(nil)
		m.answer(l, message)
		var b []byte
		for _, s := range l.queue {
			b = append(b, s.b...)
		}
		return b
	}
}
