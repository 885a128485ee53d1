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
