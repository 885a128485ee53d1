package security_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/telegraf-dlms/telegraf-dlms/dlms/security"
)

// TestAnswersToChallenges has the vectors of secret "12345678" with the titles
// and challenges of the Green Book's table.
func TestAnswersToChallenges(t *testing.T) {
	client, server := octets(t, "4D4D4D0000000001"), octets(t, "4D4D4D0000BC614E")
	c := security.Challenge{Secret: []byte("12345678"), Received: []byte("P6wRJ21F"), Sent: []byte("K56iVagY"), Own: client, Other: server}
	for mechanism, want := range map[uint8]string{
		security.MechanismMD5:    "53D4537E37DAB4FF089629E25557AF9F",
		security.MechanismSHA1:   "6DBD949D1B1EFDD6FE5F9EA627877E986E8708CB",
		security.MechanismSHA256: "67342BAA6815DA654EEFBB879B6A23DA0D2BB0404ABBB1A738631241A6B96516",
	} {
		c.Mechanism = mechanism
		got, err := c.Answer()
		require.NoError(t, err)
		require.Equal(t, octets(t, want), got)
		require.True(t, c.Verify(got))
		got[3] ^= 1
		require.False(t, c.Verify(got))
	}
	c.Mechanism = security.MechanismManufacturer
	got, err := c.Answer()
	require.NoError(t, err)
	require.Len(t, got, 16)
	for _, mechanism := range []uint8{0, 1, security.MechanismGMAC, 7} {
		c.Mechanism = mechanism
		_, err := c.Answer()
		require.Error(t, err)
		require.False(t, c.Verify(nil))
	}
}

func TestDigitSum(t *testing.T) {
	for _, c := range []struct{ password, challenge, want, message string }{
		{password: "12345678", challenge: "0000000000000000", want: "1234567800000000"},
		{password: "99999999", challenge: "0123456789ABCDEF", want: "9ABCDEF089ABCDEF"},
		{password: "7", challenge: "9", want: "0"},
		{password: "00000", challenge: "fedcb", want: "FEDCB"},
		{password: "1", challenge: "fe", want: "0e"},
		{password: "", challenge: "00", message: "the digit sum needs a password of decimal digits: it has none"},
		{password: "123", challenge: "00", message: "the digit sum adds the password to the challenge: it has 3 digits, the challenge only 2"},
		{password: "1", challenge: "0G", message: "character 2 of the challenge is 47, a hexadecimal digit is expected: the meter does not take digit sums"},
		{password: "1S", challenge: "00", message: "character 2 of the password is no decimal digit: the digit sum needs a numeric one"},
	} {
		x := security.Challenge{Mechanism: security.MechanismManufacturer, DigitSum: true, Secret: []byte(c.password), Received: []byte(c.challenge)}
		got, err := x.Answer()
		if c.message != "" {
			require.EqualError(t, err, c.message)
			require.False(t, x.Verify(nil))
			continue
		}
		require.NoError(t, err)
		require.Equal(t, c.want, string(got))
		require.Equal(t, c.challenge, string(x.Received), "the challenge is left as it is")
		require.True(t, x.Verify(got))
		got[0] ^= 1
		require.False(t, x.Verify(got))
	}
}

func FuzzDigitSum(f *testing.F) {
	f.Add([]byte("12345678"), []byte("0123456789ABCDEF"))
	f.Add([]byte("1"), []byte("fe"))
	f.Fuzz(func(t *testing.T, password, challenge []byte) {
		got, err := security.Challenge{Mechanism: security.MechanismManufacturer, DigitSum: true, Secret: password, Received: challenge}.Answer()
		if err != nil {
			require.Nil(t, got)
			return
		}
		require.Len(t, got, len(challenge))
		require.Equal(t, challenge[len(password):], got[len(password):])
	})
}
