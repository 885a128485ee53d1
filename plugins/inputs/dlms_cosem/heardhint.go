package dlms_cosem

import (
	"errors"
	"os"
	"strings"
	"syscall"

	"github.com/telegraf-dlms/telegraf-dlms/dlms"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/push"
	"github.com/telegraf-dlms/telegraf-dlms/dlms/security"
	"github.com/telegraf-dlms/telegraf-dlms/internal/control"
	"github.com/telegraf-dlms/telegraf-dlms/internal/state"
)

// heardHint is Hint for what is wrong with what is heard.
func heardHint(err error) string {
	var (
		key    *noKeyError
		open   *openError
		policy *policyError
		silent *silentError
		quiet  *quietError
		listen *listenError
		body   *push.BodyError
		bad    *dlms.SecurityError
		count  *counterError
		reject *dlms.RejectError

		held  *withheldError
		again *dlms.RepeatedError
	)
	switch {
	case errors.As(err, &reject) && reject.Unproven:
		return "check the secret or the keys (encryption_key, authentication_key; with high-ecdsa signing_key and server_signing_key); further attempts are slowed down because meters lock"
	case errors.As(err, &held):
		return withheldHint(held)
	case errors.As(err, &count):
		return "" // it says all
	case errors.As(err, &again):
		return "somebody sends messages of the meter once more, or its counter does not move; nothing of such an answer is used"
	case errors.As(err, &bad):
		return "check encryption_key and authentication_key, and server_system_title, ca_certificate and the keys for signing and agreement where they are set; nothing of such an answer is used"
	case errors.As(err, &key):
		if key.file != "" {
			return "add a line title,encryption_key,authentication_key; the file is read again by itself"
		}
		return "set encryption_key, and authentication_key if your utility has given you two keys (they are called GUEK and GAK, GPK60 and GPK61, or EK and AK)"
	case errors.As(err, &open):
		return openHint(open)
	case errors.As(err, &policy):
		if strings.Contains(policy.what, "authentication_key") {
			return "ask your utility for it; allow_unauthenticated = true takes telegrams whose sender is not proved"
		}
		return "anybody who reaches this endpoint could have sent it; if your utility sends it so, allow_unauthenticated = true takes it"
	case errors.As(err, &silent):
		return "look at the cable or the network of the meter; some utilities switch the customer port off after a time"
	case errors.As(err, &quiet):
		return quietHint(quiet)
	case errors.As(err, &listen):
		switch {
		case errors.Is(err, syscall.EADDRINUSE):
			return "another program, or another instance of this one, has the port"
		case errors.Is(err, os.ErrPermission):
			return "ports below 1024 need rights: choose another one, or grant CAP_NET_BIND_SERVICE"
		default:
			return "check the address: \"tcp-listen://:4059\" listens on all of them"
		}
	case errors.As(err, &body):
		return "telegraf-dlms decode shows where it cannot be read; dump -record FILE keeps what comes"
	default:
		return ""
	}
}

// withheldHint says how a counter is come by.
func withheldHint(e *withheldError) string {
	var exhausted *state.ExhaustedError
	var lender *lenderError
	var gone *control.NotRunningError
	switch {
	case errors.As(e.err, &exhausted):
		return "nothing is sent with these keys any more: ask the utility for new keys"
	case errors.As(e.err, &gone):
		return "the other program that has the state lends none: wait until it has ended, or end it"
	case errors.As(e.err, &lender):
		return "look at the log of that instance, or end it: nothing is sent with these keys without its counters"
	default:
		return "nothing is sent with these keys until the state can be written, which is tried again by itself: see the rights of its directory (state_dir) and the room on the disk; meters without keys are read all the same"
	}
}

// openHint tells a key that was never right from one that is so no more.
func openHint(e *openError) string {
	switch reason := reasonOf(e.err); {
	case reason == security.Unsupported:
		return "ask your utility for security suite 0"
	case reason != security.WrongKey && reason != security.WrongTag:
		return ""
	case !e.since.IsZero():
		return "if it was only this one, it was damaged on its way; if it stays so, the keys may have been rolled: ask your utility"
	case reason == security.WrongTag:
		return "check authentication_key"
	default:
		return "check encryption_key, and that it is this meter's"
	}
}

func quietHint(e *quietError) string {
	if e.listens {
		return "do the meters know this address and port, and does a firewall let them through? allowed_sources and identity may leave them out"
	}
	if e.octets == 0 {
		return "is the customer port enabled (some utilities do it on request), and the cable of the right kind? Some meters want the data request line, dtr = \"on\" or rts = \"on\""
	}
	return "check baud_rate and parity, or set baud_rate = \"auto\"; P1 ports are inverted and need a cable that turns them; dump -record FILE and telegraf-dlms decode show what comes"
}
