package dlms_cosem

import (
	"bytes"
	"slices"
	"strconv"
	"strings"
)

// Weaknesses says which requests log in with keys or passwords that anybody
// would try first, each weakness once: names of requests and settings, never a
// value. It is for those who run the program for long, and for who checks a
// configuration: a meter on a desk may well have the keys of an example.
func (d *DLMS) Weaknesses() (list []string) {
	requests := map[string][]string{}
	for _, r := range d.requests {
		if !r.enabled {
			continue
		}
		for _, w := range r.weaknesses() {
			if requests[w] == nil {
				list = append(list, w)
			}
			requests[w] = append(requests[w], strconv.Quote(r.name))
		}
	}
	for i, w := range list {
		who := "Request " + requests[w][0]
		if n := len(requests[w]); n > 1 {
			who = "Requests " + strings.Join(requests[w][:min(n, mostNamed)], ", ")
			if n > mostNamed {
				who += " and " + strconv.Itoa(n-mostNamed) + " others"
			}
		}
		list[i] = who + ": " + w
	}
	return list
}

// mostNamed is how many requests a warning names.
const mostNamed = 5

// weaknesses lists what is weak about the secrets of a request. One that cannot
// be read is told elsewhere.
func (r *request) weaknesses() (list []string) {
	var keys [2][]byte
	for i, name := range []string{"encryption_key", "authentication_key"} {
		if !r.keys[i].Set() {
			continue
		}
		key, err := keyOctets(r.keys[i], r.suite)
		if err != nil {
			continue
		}
		keys[i] = key
		if why := weakKey(key); why != "" {
			list = append(list, name+" "+why+": whoever tries keys begins with such ones; have the utility set others")
		}
	}
	if keys[0] != nil && bytes.Equal(keys[0], keys[1]) {
		list = append(list, "authentication_key is the same as encryption_key: the authentication key proves nothing more then; have the utility set two keys")
	}
	if !r.mechanism.HasSecret() {
		return list
	}
	if password, err := r.password.Get(); err == nil && weakPassword(password) {
		list = append(list, "password is one that meters leave the factory with: anybody tries it; have the utility set another")
	}
	return list
}

// weakKey says why a key can be guessed; "" if it does not look so. The two of
// the Green Book's worked examples (Ed. 9, clause 9.2.3.3.8) count up.
func weakKey(key []byte) string {
	switch step, even := stepOf(key); {
	case even && step == 0:
		return "is one octet repeated"
	case even && (step == 1 || step == 0xFF || step == 0x11 || step == 0xEF):
		return "only counts, as the keys of the Green Book's examples do"
	case slices.Contains([]string{
		"1234567890123456", "0123456789012345", "0123456789ABCDEF", "0123456789abcdef",
		"\x01\x23\x45\x67\x89\xAB\xCD\xEF\x01\x23\x45\x67\x89\xAB\xCD\xEF", "\x12\x34\x56\x78\x90\x12\x34\x56\x78\x90\x12\x34\x56\x78\x90\x12",
	}, string(key)):
		return "is made of digits in their order"
	default:
		return ""
	}
}

// stepOf is the difference between each octet and the one before, if it is
// always the same.
func stepOf(b []byte) (step byte, even bool) {
	if len(b) < 2 {
		return 0, false
	}
	step = b[1] - b[0]
	for i := 2; i < len(b); i++ {
		if b[i]-b[i-1] != step {
			return 0, false
		}
	}
	return step, true
}

// weakPassword reports whether a password is known from manuals, or made as
// those are: one character repeated, or digits and letters in their order.
func weakPassword(password []byte) bool {
	step, even := stepOf(password)
	return even && (step == 0 || step == 1 || step == 0xFF) || slices.Contains([]string{
		"1234567890", "ABCD0001", "password", "PASSWORD", "Password", "admin",
	}, string(password))
}
