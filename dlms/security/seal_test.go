package security_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/telegraf-dlms/telegraf-dlms/dlms/security"
)

func TestSealMakesTheVectorsOfTheGreenBook(t *testing.T) {
	c := context(t, encryptionKey, authenticationKey)
	for control, want := range map[security.Control]string{
		security.Authenticated:                      onlyAuthenticated,
		security.Encrypted:                          onlyEncrypted,
		security.Authenticated | security.Encrypted: both,
		0: "00 01234567" + plain,
	} {
		got := c.Seal([]byte{0xEE}, octets(t, title), control, 0x01234567, octets(t, plain))
		require.Equal(t, append([]byte{0xEE}, octets(t, want)...), got, control)
	}
}

// TestGMAC has the table of the Green Book.
func TestGMAC(t *testing.T) {
	c := context(t, encryptionKey, authenticationKey)
	client, server := octets(t, "4D4D4D0000000001"), octets(t, title)
	ctos, stoc := []byte("K56iVagY"), []byte("P6wRJ21F")
	ours, theirs := octets(t, "10 00000001 1A52FE7DD3E72748973C1E28"), octets(t, "10 01234567 FE1466AFB3DBCD4F9389E2B7")
	require.Equal(t, ours, c.AppendGMAC(nil, client, 1, stoc))
	require.Equal(t, theirs, c.AppendGMAC(nil, server, 0x01234567, ctos))
	require.True(t, c.VerifyGMAC(server, ctos, theirs))
	require.False(t, c.VerifyGMAC(client, ctos, theirs), "another title")
	require.False(t, c.VerifyGMAC(server, stoc, theirs), "another challenge")
	require.False(t, c.VerifyGMAC(server, ctos, theirs[:16]))
	for i := range theirs {
		theirs[i] ^= 0x21
		require.False(t, c.VerifyGMAC(server, ctos, theirs), "octet %d", i)
		theirs[i] ^= 0x21
	}
}
