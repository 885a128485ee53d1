package acse

import (
	"io"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var rlrqCases = []struct {
	name   string
	hex    string
	want   RLRQ
	oneWay bool
}{
	{name: "shortest", hex: "6200"},
	{name: "normal", hex: "6203800100", want: RLRQ{HasReason: true}},
	{name: "user-defined", hex: "620380011E", want: RLRQ{Reason: ReleaseUserDefined, HasReason: true}},
	{
		name: "with user-information", hex: "620A 800100 BE05 0403 210102",
		want: RLRQ{HasReason: true, UserInformation: []byte{0x21, 1, 2}},
	},
	{
		name: "unknown fields", hex: "62810D BE03040101 A103020100 800101", oneWay: true,
		want: RLRQ{Reason: ReleaseUrgent, HasReason: true, UserInformation: []byte{1}},
	},
}

func TestRLRQ(t *testing.T) {
	for _, c := range rlrqCases {
		t.Run(c.name, func(t *testing.T) {
			b := octets(t, c.hex)
			got, err := ParseRLRQ(b)
			require.NoError(t, err)
			assert.Equal(t, c.want, got)
			if !c.oneWay {
				assert.Equal(t, append([]byte{0xEE}, b...), c.want.Append([]byte{0xEE}))
			}
			for n := range b {
				_, err := ParseRLRQ(b[:n])
				require.ErrorIs(t, err, io.ErrUnexpectedEOF, "%d octets", n)
			}
		})
	}
}

var rlreCases = []struct {
	name string
	hex  string
	want RLRE
}{
	{name: "shortest", hex: "6300"},
	{name: "normal", hex: "6303800100", want: RLRE{HasReason: true}},
	{name: "not finished", hex: "6303800101", want: RLRE{Reason: ReleasedNotFinished, HasReason: true}},
	{
		name: "with user-information", hex: "6309 800100 BE04 0402 2800",
		want: RLRE{HasReason: true, UserInformation: []byte{0x28, 0}},
	},
}

func TestRLRE(t *testing.T) {
	for _, c := range rlreCases {
		t.Run(c.name, func(t *testing.T) {
			b := octets(t, c.hex)
			got, err := ParseRLRE(b)
			require.NoError(t, err)
			assert.Equal(t, c.want, got)
			assert.Equal(t, append([]byte{0xEE}, b...), c.want.Append([]byte{0xEE}))
			for n := range b {
				_, err := ParseRLRE(b[:n])
				require.ErrorIs(t, err, io.ErrUnexpectedEOF, "%d octets", n)
			}
		})
	}
}
