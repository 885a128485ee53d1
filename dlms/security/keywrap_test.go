package security_test

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/telegraf-dlms/telegraf-dlms/dlms/security"
)

// wrapVectors are those of RFC 3394, clauses 4.1, 4.3, 4.5 and 4.6: all that have
// a key-encrypting key of a suite.
var wrapVectors = []struct{ kek, key, wrapped string }{
	{"000102030405060708090A0B0C0D0E0F", "00112233445566778899AABBCCDDEEFF", "1FA68B0A8112B447 AEF34BD8FB5A7B82 9D3E862371D2CFE5"},
	{encryptionKey2, "00112233445566778899AABBCCDDEEFF", "64E8C3F9CE0F5BA2 63E9777905818A2A 93C8191E7D6E8AE7"},
	{encryptionKey2, "00112233445566778899AABBCCDDEEFF 0001020304050607", "A8F9BC1612C68B3F F6E6F4FBE30E71E4 769C8B80A32CB895 8CD5D17D6B254DA1"},
	{
		encryptionKey2, "00112233445566778899AABBCCDDEEFF 000102030405060708090A0B0C0D0E0F",
		"28C9F404C4B810F4 CBCCB35CFB87F826 3F5786E2D80ED326 CBC7F0E71A99F43B FB988B9B7A02DD21",
	},
}

func TestKeyWrapVectors(t *testing.T) {
	for _, v := range wrapVectors {
		kek, key, wrapped := octets(t, v.kek), octets(t, v.key), octets(t, v.wrapped)
		got, err := security.WrapKey(kek, key)
		require.NoError(t, err)
		require.Equal(t, wrapped, got)
		require.Equal(t, octets(t, v.key), key, "the key is left as it is")
		back, err := security.UnwrapKey(kek, wrapped)
		require.NoError(t, err)
		require.Equal(t, key, back)
		require.Equal(t, octets(t, v.wrapped), wrapped)
		for i := range wrapped {
			for bit := range 8 {
				wrapped[i] ^= 1 << bit
				back, err := security.UnwrapKey(kek, wrapped)
				require.ErrorContains(t, err, "unwrapping a key: the integrity check fails", "octet %d, bit %d", i, bit)
				require.Nil(t, back)
				wrapped[i] ^= 1 << bit
			}
		}
		for i := range kek {
			kek[i] ^= 1
			_, err := security.UnwrapKey(kek, wrapped)
			require.Error(t, err, "octet %d of the key-encrypting key", i)
			kek[i] ^= 1
		}
		for n := range wrapped {
			_, err := security.UnwrapKey(kek, wrapped[:n])
			require.Error(t, err, "%d octets", n)
		}
	}
}

func TestKeyWrapLengths(t *testing.T) {
	kek := octets(t, encryptionKey)
	for _, n := range []int{0, 8, 15, 17, 264} {
		_, err := security.WrapKey(kek, make([]byte, n))
		require.ErrorContains(t, err, "want a multiple of 8 from 16 to 256")
	}
	for _, n := range []int{0, 8, 16, 25, 272} {
		_, err := security.UnwrapKey(kek, make([]byte, n))
		require.ErrorContains(t, err, "want a multiple of 8 from 24 to 264")
	}
	for _, n := range []int{0, 15, 24, 33} {
		_, err := security.WrapKey(make([]byte, n), make([]byte, 16))
		require.ErrorContains(t, err, "wrapping a key: the key-encrypting key has")
		_, err = security.UnwrapKey(make([]byte, n), make([]byte, 24))
		require.ErrorContains(t, err, "unwrapping a key: the key-encrypting key has")
	}
}

func FuzzUnwrapKey(f *testing.F) {
	for _, v := range wrapVectors {
		f.Add(octets(f, v.kek), octets(f, v.wrapped))
	}
	f.Fuzz(func(t *testing.T, kek, wrapped []byte) {
		key, err := security.UnwrapKey(kek, wrapped)
		if err != nil {
			require.Nil(t, key)
			return
		}
		again, err := security.WrapKey(kek, key)
		require.NoError(t, err)
		require.True(t, bytes.Equal(wrapped, again))
	})
}
