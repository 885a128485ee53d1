package iec62056

import (
	"bytes"
	"errors"
	"io"
	"testing"

	"github.com/stretchr/testify/require"
)

func FuzzTelegram(f *testing.F) {
	for _, c := range telegrams {
		f.Add([]byte(c.wire))
		f.Add([]byte("\x00" + c.wire[:len(c.wire)/2] + c.wire + "\r\n"))
	}
	for _, s := range []string{
		"\x02\x02", "/ABC5x\n\n!\n", "/ABC5x\n\x02\x02!\r\n\x03\x03", "/ABC5x\n\n!-0(5)\n!12/ABC5\n\n!",
		"\x02a(1)\n!\n\x02a(1)\n!\n\x03", "/ABC5\n\na(1)/ABC5\n\na(1)\n(2)b(3)\n!\n",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		before := bytes.Clone(in)
		var found []Telegram
		b := in
		for range len(in) + 1 {
			telegram, rest, err := CutTelegram(b)
			require.True(t, bytes.Equal(before, in))
			require.True(t, bytes.HasSuffix(b, rest))
			if errors.Is(err, io.ErrUnexpectedEOF) {
				require.LessOrEqual(t, len(rest), MaxTelegram)
				b = rest
				break
			}
			require.Less(t, len(rest), len(b), "no progress")
			var telegramError *TelegramError
			if errors.As(err, &telegramError) {
				require.Equal(t, len(b)-len(rest), telegramError.Skipped)
				require.NotEmpty(t, telegramError.Error())
				require.Zero(t, telegram)
			} else {
				require.NoError(t, err)
				require.LessOrEqual(t, len(b)-len(rest), MaxTelegram)
				checkView(t, b[:len(b)-len(rest)], telegram.Body)
				checkData(t, telegram)
				found = append(found, telegram)
			}
			b = rest
		}
		_, _, err := CutTelegram(b)
		require.ErrorIs(t, err, io.ErrUnexpectedEOF, "more calls than octets")

		// What comes octet by octet is no different.
		if len(in) > 600 {
			return
		}
		var buf []byte
		for _, c := range in {
			var some []Telegram
			some, buf, _ = cutAll(t, append(bytes.Clone(buf), c))
			for _, telegram := range some {
				require.NotEmpty(t, found)
				require.Equal(t, found[0], telegram)
				found = found[1:]
			}
		}
		require.Empty(t, found)
	})
}

// checkView requires that body is a part of b, without capacity beyond it.
func checkView(t *testing.T, b, body []byte) {
	t.Helper()
	require.Equal(t, len(body), cap(body))
	before := bytes.Clone(b)
	for i := range body {
		body[i] ^= 0xFF
	}
	first, last := len(b), len(b)
	for i := range b {
		if b[i] != before[i] {
			first, last = min(first, i), i+1
		}
	}
	require.Equal(t, len(body), last-first)
	require.True(t, bytes.Equal(b[first:last], body))
	copy(b, before)
}

func checkData(t *testing.T, telegram Telegram) {
	t.Helper()
	sets, lines := 0, bytes.Count(telegram.Body, []byte("\n"))+1
	for s := range telegram.Data(func(line string) {
		lines--
		require.NotEmpty(t, line)
		require.LessOrEqual(t, len(line), maxBad)
	}) {
		sets++
		if s.Address == "" || len(s.Values) == 0 || len(s.Values) > maxValues {
			t.Fatalf("%q with %d values", s.Address, len(s.Values))
		}
		for _, v := range s.Values {
			if len(v.Text)+len(v.Unit) > maxDataLine {
				t.Fatalf("value of %d octets", len(v.Text)+len(v.Unit))
			}
			if stamp, ok := ParseTimestamp(v.Text); ok != (stamp.Year >= 2000) {
				t.Fatalf("%q is %v", v.Text, stamp)
			}
		}
	}
	require.LessOrEqual(t, sets, maxSets)
	require.GreaterOrEqual(t, lines, 0, "more bad lines than lines")
}
