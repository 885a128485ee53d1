package record

import (
	"context"
	"errors"
	"io"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

const exchange = header + `
2026-11-27T23:04:00.000000Z e = opened
2026-11-27T23:04:05.000000Z e > 0102
2026-11-27T23:04:06.000000Z e > 03
2026-11-27T23:04:06.250000Z e < 11
2026-11-27T23:04:06.500000Z e = error: of no account
2026-11-27T23:04:07.250000Z e < 12
2026-11-27T23:14:00.000000Z e > 04
2026-11-27T23:13:59.000000Z e < 13
2026-11-27T23:14:00.000000Z e = closed
`

// started plays a record; the client's side and the result are returned.
func started(ctx context.Context, t *testing.T, text string, speed Speed) (client net.Conn, result chan error) {
	t.Helper()
	client, meter := net.Pipe()
	result = make(chan error, 1)
	go func() { result <- Replay(ctx, meter, lines(t, text), speed) }()
	t.Cleanup(func() { _, _ = client.Close(), meter.Close() })
	return client, result
}

func send(t *testing.T, c net.Conn, octets ...byte) {
	t.Helper()
	_, err := c.Write(octets)
	require.NoError(t, err)
}

// expect reads one octet and returns after what time it came.
func expect(t *testing.T, c net.Conn, want byte) time.Duration {
	t.Helper()
	began := time.Now()
	var b [2]byte
	n, err := c.Read(b[:])
	require.NoError(t, err)
	require.Equal(t, []byte{want}, b[:n])
	return time.Since(began)
}

func TestReplay(t *testing.T) {
	for speed, delays := range map[Speed][3]time.Duration{
		Original: {250 * time.Millisecond, time.Second, 0},
		Full:     {},
	} {
		synctest.Test(t, func(t *testing.T) {
			c, result := started(t.Context(), t, exchange, speed)
			send(t, c, 1)
			time.Sleep(time.Hour) // of the bubble
			send(t, c, 2, 3)
			require.Equal(t, delays[0], expect(t, c, 0x11))
			require.Equal(t, delays[1], expect(t, c, 0x12))
			send(t, c, 4)
			require.Equal(t, delays[2], expect(t, c, 0x13), "the clock was set back")
			require.NoError(t, <-result)
		})
	}
}

func TestReplayDiffers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, result := started(t.Context(), t, exchange, Full)
		send(t, c, 1, 2, 0xFF, 4)
		expect(t, c, 0x11)
		expect(t, c, 0x12)
		send(t, c, 4)
		expect(t, c, 0x13)
		err := <-result
		var differ *DifferError
		require.ErrorAs(t, err, &differ)
		require.EqualError(t, err, "1 of 2 requests differ from the record; in number 1, recorded at 2026-11-27T23:04:05.000000Z, 3 octets were expected, and 4 came, which differ from octet 3 on")
	})
	synctest.Test(t, func(t *testing.T) {
		c, result := started(t.Context(), t, exchange, Full)
		send(t, c, 1, 2, 3)
		expect(t, c, 0x11)
		expect(t, c, 0x12)
		send(t, c, 5)
		expect(t, c, 0x13)
		require.EqualError(t, <-result, "1 of 2 requests differ from the record; in number 2, recorded at 2026-11-27T23:14:00.000000Z, its octet 1 differs")
	})
}

func TestReplayEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // by the client
		c, result := started(t.Context(), t, exchange, Full)
		send(t, c, 3, 2, 1)
		expect(t, c, 0x11)
		require.NoError(t, c.Close())
		err := <-result
		require.ErrorContains(t, err, "the replay ended after 1 of 2 requests: ")
		require.ErrorContains(t, err, "1 of 1 requests differ")
		require.True(t, errors.Is(err, io.ErrUnexpectedEOF))
	})
	for name, step := range map[string]func(c net.Conn){
		"waiting for a request": func(net.Conn) {},
		"waiting to answer":     func(c net.Conn) { _, _ = c.Write([]byte{1, 2, 3}) },
		"stuck in an answer": func(c net.Conn) {
			_, _ = c.Write([]byte{1, 2, 3})
			time.Sleep(time.Minute) // of the bubble
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancel(t.Context())
				c, result := started(ctx, t, exchange, Original)
				step(c)
				synctest.Wait()
				cancel()
				require.ErrorIs(t, <-result, context.Canceled)
			})
		})
	}
}

// TestReplayListening plays what came without being asked for.
func TestReplayListening(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, result := started(t.Context(), t, header+`
2026-11-27T23:04:05.000000Z e < 01
2026-11-27T23:04:15.000000Z e < 02
2026-11-27T23:05:15.500000Z e < 03
`, Original)
		require.Zero(t, expect(t, c, 1))
		require.Equal(t, 10*time.Second, expect(t, c, 2))
		require.Equal(t, 60500*time.Millisecond, expect(t, c, 3))
		require.NoError(t, <-result)
	})
	require.NoError(t, Replay(t.Context(), nil, nil, Full))
}
