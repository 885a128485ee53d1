package dlms_cosem

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestSuiteMistakes are told when the configuration is read, and hold no key.
func TestSuiteMistakes(t *testing.T) {
	k, other, large := newSuiteKeys(t, 1), newSuiteKeys(t, 1), newSuiteKeys(t, 2)
	keys := t.TempDir()
	gmac := strings.Replace(k.top("high-gmac"), strings.Replace(hdlcTop, "hdlc", "wrapper", 1), "", 1) + "\n"
	ecdsa := "client_address = 1\nauthentication = \"high-ecdsa\"\n"
	zero := strings.Replace(gmac, "security_suite = 1", "security_suite = 0", 1)
	own, theirs := strings.Split(k.signing, "\n")[1]+"\n", strings.Split(k.signing, "\n")[2]+"\n"
	ownAgree, theirAgree := strings.Split(k.agree, "\n")[1]+"\n", strings.Split(k.agree, "\n")[2]+"\n"
	crt := func(name string, x suiteKeys) string {
		return fmt.Sprintf("certificate = %q\n", write(t, keys, name+".crt", certificatePEM(certify(t, name, x.own, time.Now().Add(time.Hour), nil, x.own)), 0o644))
	}
	file := func(key, name string, mode os.FileMode) string {
		return fmt.Sprintf("%s = %q\n", key, write(t, keys, name, privatePEM(t, k.own), mode))
	}
	exposed, changed := file("signing_key", "exposed.pem", 0o644), file("server_signing_key", "changed.pem", 0o666)
	for request, want := range map[string]string{
		ecdsa + own + theirs:                                             `security_suite: authentication = "high-ecdsa" needs 1 (P-256) or 2 (P-384): the meter's keys tell which`,
		zero + "signed = true\n" + own + theirs:                          `security_suite: signed = true needs 1 (P-256) or 2 (P-384): the meter's keys tell which`,
		zero + "ciphering = \"agreed-static\"\n" + ownAgree + theirAgree: `security_suite: ciphering = "agreed-static" needs 1 (P-256) or 2 (P-384): the meter's keys tell which`,
		zero + own:                              `signing_key: with security_suite = 0 it has no effect: set 1 (P-256) or 2 (P-384), or remove it`,
		ecdsa + "security_suite = 1\n" + theirs: `signing_key: authentication = "high-ecdsa" needs it: our private key, whose public key the meter has`,
		ecdsa + "security_suite = 1\n" + own:    `server_signing_key: authentication = "high-ecdsa" needs it: the public key of the meter, or ca_certificate if the meter sends its certificate`,
		ecdsa + "password = \"x\"\nsecurity_suite = 1\n" + own + theirs:    `password: authentication = "high-ecdsa" has no password, it uses signing_key: remove the password`,
		gmac + "signed = true\n" + theirs:                                  `signing_key: signed = true needs it: our private key, whose public key the meter has`,
		gmac + "signed = true\n" + own:                                     `server_signing_key: signed = true needs it: the public key of the meter, or ca_certificate if the meter sends its certificate`,
		gmac + "ciphering = \"wrapped\"":                                   `master_key: ciphering = "wrapped" needs it: the key that wraps keys (KEK)`,
		gmac + "ciphering = \"wrapped\"\nmaster_key = \"00\"":              `master_key: a key of security suite 1 has 32 hexadecimal digits; this has 2 characters`,
		gmac + "ciphering = \"agreed-one-pass\"\n" + theirAgree:            `signing_key: ciphering = "agreed-one-pass" needs it: our private key, whose public key the meter has`,
		gmac + "ciphering = \"agreed-one-pass\"\n" + own:                   `server_agreement_key: ciphering = "agreed-one-pass" needs it: the public key of the meter for key agreement`,
		gmac + "ciphering = \"agreed-static\"\n" + theirAgree:              `agreement_key: ciphering = "agreed-static" needs it: our private key for key agreement, whose public key the meter has`,
		gmac + "ciphering = \"agreed-static\"\n" + ownAgree:                `server_agreement_key: ciphering = "agreed-static" needs it: the public key of the meter for key agreement`,
		gmac + "security = \"none\"\nciphering = \"general\"":              `ciphering = "general": with security = "none" it has no effect: remove one of them`,
		gmac + "security = \"none\"\nsigned = true\n" + own + theirs:       `signed = true: with security = "none" it has no effect: remove one of them`,
		gmac + "security = \"none\"\ndedicated_key = \"random\"":           `dedicated_key: with security = "none" it has no effect: remove one of them`,
		ecdsa + "security_suite = 1\nsigned = true\n" + own + theirs:       `signed = true: without encryption_key it has no effect: set that, or remove it`,
		gmac + "security = \"authentication\"\ndedicated_key = \"random\"": `dedicated_key: it would travel in clear: set security = "authentication+encryption", or remove it`,
		gmac + "ciphering = \"identified\"\ndedicated_key = \"random\"":    `dedicated_key: with ciphering = "identified" it has no effect: remove one of them`,
		gmac + "dedicated_key = \"rnd\"":                                   `dedicated_key: a key of security suite 1 has 32 hexadecimal digits; this has 3 characters; or "random", which makes one for each association`,
		strings.Replace(strings.Split(gmac, "authentication_key")[0], "security_suite = 1", "security_suite = 2", 1) + fmt.Sprintf("authentication_key = \"%x\"", large.keys.AuthenticationKey): "encryption_key: a key of security suite 2 has 64 hexadecimal digits; this has 32, as those of suites 0 and 1",
		ecdsa + "security_suite = 1\n" + strings.Split(large.signing, "\n")[1] + "\n" + theirs:                                                                                                  `signing_key: private key: 48 octets are no private key: PEM, DER (PKCS #8 or SEC 1), or a bare number of 32 octets (suite 1) or 48 (suite 2) is expected`,
		ecdsa + "security_suite = 1\n" + exposed + theirs:                                                               `signing_key: others may read or change ` + keys + `/exposed.pem (mode 0644): chmod 600 it, or 640 if this program reads it by its group`,
		ecdsa + "security_suite = 1\n" + own + changed:                                                                  `server_signing_key: others may change ` + keys + `/changed.pem (mode 0666): chmod 644 it`,
		ecdsa + "security_suite = 1\n" + own + theirs + crt(suiteTitle, k):                                              `system_title: certificate is for ` + suiteTitle + `: set system_title to that, else the meter takes it for somebody else's`,
		ecdsa + "security_suite = 1\nsystem_title = \"5447440000000001\"\n" + own + theirs + crt("5447440123456790", k): `system_title = "5447440000000001": certificate is for 5447440123456790: the meter would take it for somebody else's`,
		ecdsa + "security_suite = 1\n" + own + theirs + crt("other", other):                                             `certificate: it is of another key than signing_key: the meter could not verify what is signed`,
		gmac + crt("alone", k): `signing_key: certificate needs it: the meter is sent the certificate of that key`,
		"signing_key = \"00\"": `signing_key: without encryption_key it has no effect: set that, or remove it`,
		"signed = true":        `signed: without encryption_key it has no effect: set that, or remove it`,
		"send_requests = false\nendpoint = \"tcp-listen://:1\"\n" + own:                                                                     `signing_key: what is pushed does not need it: it belongs to meters that are asked, remove it`,
		"send_requests = false\nendpoint = \"tcp-listen://:1\"\nmaster_key = \"00\"":                                                        `encryption_key: master_key and the keys for agreement do nothing without it, nor without authentication_key`,
		"send_requests = false\nendpoint = \"tcp-listen://:1\"\nencryption_key = \"B6F1E9D27A3C5084195E2DC7406B8FA3\"\n" + theirs:           `security_suite: 1 or 2 is needed for what signs or agrees on keys`,
		"send_requests = false\nendpoint = \"tcp-listen://:1\"\nencryption_key = \"B6F1E9D27A3C5084195E2DC7406B8FA3\"\nmaster_key = \"00\"": `master_key: a key of security suite 0 has 32 hexadecimal digits; this has 2 characters`,
		gmac + "challenge_size = 7":                                            `challenge_size = 7: out of range: 8 to 64 is allowed`,
		"challenge_size = 16":                                                  `challenge_size: without high-level security, as authentication = "high-gmac", it has no effect: remove it`,
		"association_object = \"0.0.40.0.3.255\"":                              `association_object: without high-level security, as authentication = "high-gmac", it has no effect: remove it`,
		gmac + "association_object = \"x\"":                                    `association_object = "x": not an OBIS code: "x" has no dots; write it like 1.0.1.8.0.255 or 1-0:1.8.0*255`,
		gmac + "referencing = \"sn\"\nassociation_object = \"0.0.40.0.3.255\"": `association_object = "0.0.40.0.3.255": with referencing = "sn" it has no effect: remove it`,
		gmac + "workarounds = { digit_sum = true }":                            `workarounds.digit_sum = true: it belongs to authentication = "high": set that, or remove it`,
	} {
		t.Run(want, func(t *testing.T) {
			err := decodeConf(t, conf(top, "name = \"r\"\n"+request)).Init()
			require.Error(t, err)
			all := configErrors(err)
			require.Len(t, all, 1, "%v", err)
			require.Equal(t, `request "r": `+want, all[0].Error())
			for _, secret := range k.secrets(t) {
				require.NotContains(t, err.Error(), fmt.Sprintf("%x", secret))
			}
		})
	}
}
