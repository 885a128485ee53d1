package main

import (
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/telegraf-dlms/telegraf-dlms/dlms/axdr"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/security"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/xdlms"
	"github.com/telegraf-dlms/telegraf-dlms/internal/explain"
)

// digits are octets of the arguments.
func digits(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	require.NoError(t, err)
	return b
}

// A push sealed with the keys of suite 2, alone and under a wrapped key.
func TestDecodeSuite2(t *testing.T) {
	t.Parallel()
	key, authKey := explain.TestKey2, explain.TestAuthKey2
	keys, err := security.NewContext(security.Keys{Suite: 2, EncryptionKey: digits(t, key), AuthenticationKey: digits(t, authKey)})
	require.NoError(t, err)
	body := axdr.AppendStructure(nil, 2)
	body = axdr.AppendDoubleLongUnsigned(axdr.AppendOctetString(body, []byte{1, 0, 1, 8, 0, 255}), 123456)
	n := xdlms.DataNotification{InvokeID: 5, Body: body}
	plain, err := n.Append(nil)
	require.NoError(t, err)
	c := xdlms.Ciphered{Tag: xdlms.TagGeneralGloCiphering, Title: []byte("XYZ\x00\x00\xBC\x61\x4E")}
	c.Protected = keys.Seal(nil, c.Title, security.Authenticated|security.Encrypted, 7, plain)
	text := fmt.Sprintf("%X\n", c.Append(nil))

	file := filepath.Join(t.TempDir(), "key")
	require.NoError(t, os.WriteFile(file, []byte(key+"\n"), 0o600))
	for _, k := range []string{key, "file:" + file} {
		r := decodeText(t, text, "-key", k, "-auth_key", authKey)
		require.Equal(t, exitOK, r.status, r.out+r.err)
		require.Contains(t, r.out, "XYZ 12345678 (58595A0000BC614E)")
		require.Contains(t, r.out, "authenticated and encrypted, suite 2")
		require.Contains(t, r.out, "opened, the tag is right")
		require.Contains(t, r.out, "1.0.1.8.0.255  123456  active energy import, total; double-long-unsigned")
	}
	r := decodeText(t, text, "-key", key, "-auth_key", authKey, "-format", "lp")
	require.Equal(t, exitOK, r.status, r.out+r.err)
	require.Contains(t, r.out, "obis=1.0.1.8.0.255")
	require.Contains(t, r.out, "value=123456")
	r = decodeText(t, text, "-key", explain.TestKey)
	require.Equal(t, exitFailed, r.status)
	require.Contains(t, r.out, "they are of suite 0 and have 16 octets, suite 2 needs keys of 32")

	master := explain.TestAuthKey2
	c.Tag, c.General.Transaction = xdlms.TagGeneralCiphering, []byte{1}
	wrapped, err := security.WrapKey(digits(t, master), digits(t, key))
	require.NoError(t, err)
	c.Key = xdlms.KeyInfo{Choice: xdlms.KeyWrapped, Data: wrapped}
	c.Protected = keys.SealWith(nil, c.Title, security.Authenticated|security.Encrypted, 8, c.General.AppendTo(nil, c.Title), plain)
	text = fmt.Sprintf("%X\n", c.Append(nil))
	r = decodeText(t, text)
	require.Equal(t, exitFailed, r.status)
	require.Contains(t, r.out, "missing: master key of system title XYZ 12345678 (58595A0000BC614E): -master_key HEX\n")
	for _, args := range [][]string{{"-auth_key", authKey}, {}} {
		r = decodeText(t, text, append(args, "-master_key", master)...)
		require.Equal(t, exitOK, r.status, r.out+r.err)
		require.Contains(t, r.out, "1.0.1.8.0.255  123456")
	}
}
