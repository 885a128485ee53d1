package security_test

import (
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/telegraf-dlms/telegraf-dlms/dlms/security"
)

// agreements are those of RFC 5903, clauses 8.1 and 8.2: the private and public
// keys of both sides, and the secret they have in common.
var agreements = map[uint8]struct{ i, gi, r, gr, z string }{
	1: {
		"C88F01F510D9AC3F70A292DAA2316DE544E9AAB8AFE84049C62A9C57862D1433",
		"DAD0B65394221CF9B051E1FECA5787D098DFE637FC90B9EF945D0C3772581180 5271A0461CDB8252D61F1C456FA3E59AB1F45B33ACCF5F58389E0577B8990BB3",
		"C6EF9C5D78AE012A011164ACB397CE2088685D8F06BF9BE0B283AB46476BEE53",
		"D12DFB5289C8D4F81208B70270398C342296970A0BCCB74C736FC7554494BF63 56FBF3CA366CC23E8157854C13C58D6AAC23F046ADA30F8353E74F33039872AB",
		"D6840F6B42F6EDAFD13116E0E12565202FEF8E9ECE7DCE03812464D04B9442DE",
	},
	2: {
		"099F3C7034D4A2C699884D73A375A67F7624EF7C6B3C0F160647B67414DCE655E35B538041E649EE3FAEF896783AB194",
		"667842D7D180AC2CDE6F74F37551F55755C7645C20EF73E31634FE72B4C55EE6DE3AC808ACB4BDB4C88732AEE95F41AA 9482ED1FC0EEB9CAFC4984625CCFC23F65032149E0E144ADA024181535A0F38EEB9FCFF3C2C947DAE69B4C634573A81C",
		"41CB0779B4BDB85D47846725FBEC3C9430FAB46CC8DC5060855CC9BDA0AA2942E0308312916B8ED2960E4BD55A7448FC",
		"E558DBEF53EECDE3D3FCCFC1AEA08A89A987475D12FD950D83CFA41732BC509D0D1AC43A0336DEF96FDA41D0774A3571 DCFBEC7AACF3196472169E838430367F66EEBE3C6E70C416DD5F0C68759DD1FFF83FA40142209DFF5EAAD96DB9E6386C",
		"11187331C279962D93D604243FD592CB9D0A926F422E47187521287E7156C5C4D603135569B9E9D09CF5D4A270F59746",
	},
}

func TestAgree(t *testing.T) {
	for suite, v := range agreements {
		i, err := security.ParsePrivateKey(suite, octets(t, v.i))
		require.NoError(t, err)
		r, err := security.ParsePrivateKey(suite, octets(t, v.r))
		require.NoError(t, err)
		require.Equal(t, octets(t, v.gi), i.Public().Octets())
		require.Equal(t, octets(t, v.gr), r.Public().Octets())
		z, err := i.Agree(r.Public())
		require.NoError(t, err)
		require.Equal(t, octets(t, v.z), z)
		z, err = r.Agree(i.Public())
		require.NoError(t, err)
		require.Equal(t, octets(t, v.z), z)

		other, err := security.GeneratePrivateKey(3 - suite)
		require.NoError(t, err)
		_, err = i.Agree(other.Public())
		require.ErrorContains(t, err, "key agreement: our key is of suite")
	}
	_, err := security.GeneratePrivateKey(0)
	require.ErrorContains(t, err, "security suite 0 has no public keys")
}

// TestDeriveKey has keys that another implementation of the concatenation KDF
// makes, and computes each once more as one hash over its parts.
func TestDeriveKey(t *testing.T) {
	const originator, recipient = "4D4D4D0000000001", title
	for _, c := range []struct {
		suite       uint8
		transaction string // of the static unified scheme
		algorithm   string
		want        string
	}{
		{1, "", "60857405080300", "0CD43811A7093D7312E3F65AA3844D56"},
		{2, "", "60857405080301", "8B510FF2E9AE42DC6F2A72159B0C636707D093F4DF525B86D8F617367B074D7D"},
		{1, "0102030405060708", "60857405080300", "EF3CDBF9B6EB3E0F87A60A224DB031C0"},
		{2, "0102030405060708", "60857405080301", "B0A7289693D1C8CA2753453E3697A1400D9C1751D6738C91A0FE75254D2A05ED"},
	} {
		u, v, err := security.PartiesOnePass(octets(t, originator), octets(t, recipient))
		require.NoError(t, err)
		fields := originator + recipient
		if c.transaction != "" {
			u, v, err = security.PartiesStaticUnified(octets(t, originator), octets(t, c.transaction), octets(t, recipient))
			require.NoError(t, err)
			fields = originator + "08" + c.transaction + recipient
		} else {
			u2, v2, err := security.PartiesEphemeralUnified(octets(t, originator), octets(t, recipient))
			require.NoError(t, err)
			require.Equal(t, [][]byte{u, v}, [][]byte{u2, v2})
		}
		key, err := security.DeriveKey(c.suite, octets(t, agreements[c.suite].z), u, v)
		require.NoError(t, err)
		require.Equal(t, c.want, strings.ToUpper(hex.EncodeToString(key)))

		whole := octets(t, "00000001"+agreements[c.suite].z+c.algorithm+fields)
		if c.suite == 1 {
			sum := sha256.Sum256(whole)
			require.Equal(t, sum[:16], key)
		} else {
			sum := sha512.Sum384(whole)
			require.Equal(t, sum[:32], key)
		}
		_, err = security.NewContext(security.Keys{Suite: c.suite, EncryptionKey: key})
		require.NoError(t, err)
	}
}

// TestBothSidesDeriveTheSameKey plays each scheme with keys of its own.
func TestBothSidesDeriveTheSameKey(t *testing.T) {
	originator, recipient := octets(t, "4D4D4D0000000001"), octets(t, title)
	for suite := uint8(1); suite <= 2; suite++ {
		for range 20 {
			a, err := security.GeneratePrivateKey(suite)
			require.NoError(t, err)
			b, err := security.GeneratePrivateKey(suite)
			require.NoError(t, err)
			u, v, err := security.PartiesStaticUnified(originator, []byte{1, 2}, recipient)
			require.NoError(t, err)
			keys := [2][]byte{}
			for i, pair := range [][2]*security.PrivateKey{{a, b}, {b, a}} {
				public, err := security.ParsePublicKey(suite, pair[1].Public().Octets())
				require.NoError(t, err)
				z, err := pair[0].Agree(public)
				require.NoError(t, err)
				keys[i], err = security.DeriveKey(suite, z, u, v)
				require.NoError(t, err)
				require.Len(t, keys[i], security.KeyLengthOf(suite))
				other, err := security.DeriveKey(suite, z, v, u)
				require.NoError(t, err)
				require.NotEqual(t, keys[i], other, "the parties have an order")
			}
			require.Equal(t, keys[0], keys[1])
		}
	}
}

func TestDeriveKeyRefuses(t *testing.T) {
	for _, suite := range []uint8{0, 3} {
		_, err := security.DeriveKey(suite, make([]byte, 32), nil, nil)
		require.ErrorContains(t, err, "has no public keys")
	}
	_, err := security.DeriveKey(1, make([]byte, 48), nil, nil)
	require.EqualError(t, err, "key derivation: a shared secret of 48 octets, suite 1 has 32")
	_, err = security.DeriveKey(2, make([]byte, 32), nil, nil)
	require.EqualError(t, err, "key derivation: a shared secret of 32 octets, suite 2 has 48")
	_, _, err = security.PartiesOnePass(make([]byte, 8), make([]byte, 7))
	require.EqualError(t, err, "key agreement: system titles of 8 and 7 octets, want 8")
	_, _, err = security.PartiesEphemeralUnified(nil, make([]byte, 8))
	require.EqualError(t, err, "key agreement: system titles of 0 and 8 octets, want 8")
	for _, n := range []int{0, 128} {
		_, _, err = security.PartiesStaticUnified(make([]byte, 8), make([]byte, n), make([]byte, 8))
		require.ErrorContains(t, err, "octets, want 1 to 127")
	}
}
