package dlms_cosem

import (
	"fmt"
	"testing"
	"time"

	"github.com/telegraf-dlms/telegraf-dlms/dlms/acse"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/dlmstest"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/security"
)

// TestConfiguredCertificates: in place of the meter's key its certificate may
// stand in the configuration. It is verified at each login.
func TestConfiguredCertificates(t *testing.T) {
	keys := t.TempDir()
	for name, c := range map[string]struct {
		until   time.Duration
		meter   string
		anyone  bool // without ca_certificate
		ours    bool // signed by whom we believe
		message string
	}{
		"valid":                  {24 * time.Hour, guardTitle, false, true, ""},
		"valid, nobody to ask":   {24 * time.Hour, guardTitle, true, false, ""},
		"expired":                {-time.Hour, guardTitle, false, true, "server_signing_key: the certificate of " + guardTitle + " expired on 1999-12-31"},
		"expired, nobody to ask": {-time.Hour, guardTitle, true, false, "server_signing_key: the certificate of " + guardTitle + " expired on 1999-12-31"},
		"of another issuer":      {24 * time.Hour, guardTitle, false, false, "server_signing_key: the certificate of " + guardTitle + " is not signed by a trusted one"},
		"of another meter":       {24 * time.Hour, "4D4D4D0000000001", false, true, "was expected"},
	} {
		t.Run(name, func(t *testing.T) {
			inFold(t, func(t *testing.T, n *network, dir string) {
				k, ca, stranger := newSuiteKeys(t, 1), newSuiteKeys(t, 1).own, newSuiteKeys(t, 1).own
				root := certify(t, "Root-CA", ca, time.Now().Add(48*time.Hour), nil, ca)
				issuer, by := root, ca
				if !c.ours {
					issuer, by = certify(t, "Other-CA", stranger, time.Now().Add(48*time.Hour), nil, stranger), stranger
				}
				g := k.guard(t, acse.HLSECDSA, func(x *dlmstest.Client) { x.Keys, x.Policy = security.Keys{}, 0 })
				crt := certify(t, c.meter, k.meter, time.Now().Add(c.until), issuer, by)
				top := k.signedTop() + fmt.Sprintf("\nsigning_key = %q\nserver_signing_key = %q",
					write(t, keys, "own.pem", privatePEM(t, k.own), 0o600), write(t, keys, "meter.crt", certificatePEM(crt), 0o644))
				if !c.anyone {
					top += fmt.Sprintf("\nca_certificate = %q", write(t, keys, "ca.crt", certificatePEM(root), 0o644))
				}
				if c.message == "" {
					requireRead(t, n, dir, top, g)
					return
				}
				result := "auth"
				if c.meter != guardTitle {
					result = "decrypt"
				}
				requireRefused(t, n, dir, top, result, c.message, g)
			})
		})
	}
}
