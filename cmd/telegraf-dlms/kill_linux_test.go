package main

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"

	"github.com/telegraf-dlms/telegraf-dlms/internal/state"
)

// fullFrom has the program begin with files that cannot be written beyond so
// many octets.
const fullFrom = "DLMS_TEST_FILE_LIMIT"

func init() {
	if n, err := strconv.ParseUint(os.Getenv(fullFrom), 10, 64); err == nil {
		if err := limitFiles(0, n); err != nil {
			panic(err)
		}
	}
}

// limitFiles has writes of a process beyond a place of a file fail, as they do
// on a full disk; 0 is this process. The signal that comes with it (SIGXFSZ)
// does nothing to programs in Go that do not ask for it.
func limitFiles(pid int, octets uint64) error {
	limit := syscall.Rlimit{Cur: octets, Max: ^uint64(0)}
	_, _, errno := syscall.Syscall6(syscall.SYS_PRLIMIT64, uintptr(pid), syscall.RLIMIT_FSIZE, uintptr(unsafe.Pointer(&limit)), 0, 0, 0) //nolint:gosec // there is no other way to limit another process
	if errno != 0 {
		return errno
	}
	return nil
}

// requireHeld: what is reserved comes to its end, and for the time of some polls
// of the other meter the one with keys hears nothing that is ciphered then. It
// reports whether the program was not killed before.
func (p *polling) requireHeld(dies bool) (alive bool) {
	p.t.Helper()
	for polls := 0; !p.is("dlms_cosem_status,", "request=a,", "result=auth,"); {
		if !p.next() {
			require.True(p.t, dies && p.countdown.left.Load() <= 0, "it has ended: %s", &p.errs)
			return false
		}
		if p.is("value=12345", "meter=a") {
			polls++
		}
		require.Less(p.t, polls, 500, "it goes on with counters that are not on the disk")
	}
	before := p.meter.Counters()
	alive = p.await(20, "value=12345", "meter=plain")
	after := p.meter.Counters()
	require.Equal(p.t, before.Ciphered, after.Ciphered, "a counter was used that is not on the disk")
	require.Equal(p.t, before.Authentications, after.Authentications)
	require.True(p.t, alive || dies, "it has ended: %s", &p.errs)
	return alive
}

// resumes: the meter with keys is read again.
func (p *polling) resumes(dies bool) (alive bool) {
	p.t.Helper()
	alive = p.await(3, "value=12345", "meter=a")
	require.True(p.t, alive || dies, "it does not go on by itself: %s", &p.errs)
	return alive
}

// requireSaid: the reason was told clearly, and once; and that it is over.
func (p *polling) requireSaid(reason string, resumed bool) {
	p.t.Helper()
	text := p.errs.String()
	const advice = "nothing is sent with these keys until the state can be written, which is tried again by itself"
	require.Equal(p.t, 1, strings.Count(text, advice), text)
	require.Regexp(p.t, `(?m)^E! request "a", [0-9.:]+: .*`+reason+`: `+advice, text)
	require.Equal(p.t, resumed, strings.Contains(text, `I! request "a", `), text)
	require.LessOrEqual(p.t, strings.Count(text, "request \"plain\""), 1, "what was learned cannot be kept: %s", text)
}

// TestKilledPollingFull: the disk is full from some point on, or from the start.
// When what was reserved is used up nothing ciphered is sent any more, and
// meters without keys are read on; with room polling goes on by itself. Killed at
// any point of that, no counter comes twice.
func TestKilledPollingFull(t *testing.T) {
	r := newRig(t, t.TempDir())
	p := r.start()
	require.True(t, p.await(1, "value=12345", "meter=a"))
	p.kill()
	for range kills(8, 10) {
		limit := rand.N[uint64](2*4096 + 2000) // into the pages that every write has
		fresh := rand.N(4) == 0
		r.countdown.left.Store(-1)
		if fresh {
			p = r.start(fullFrom + "=" + strconv.FormatUint(limit, 10))
		} else {
			p = r.start()
			require.True(t, p.await(1+rand.N(100), "value=12345", "meter=a"), p.errs.String())
			require.NoError(t, limitFiles(p.cmd.Process.Pid, limit))
		}
		dies := rand.N(2) == 0
		if dies {
			r.countdown.left.Store(1 + rand.Int64N(700))
			p.killedSoon()
		}
		if p.requireHeld(dies) {
			require.NoError(t, limitFiles(p.cmd.Process.Pid, ^uint64(0)))
			if p.resumes(dies) {
				p.await(rand.N(200), "value=12345", "meter=a")
				p.kill()
				p.requireSaid("file too large", true)
			}
		}
		p.killed()
		require.Zero(t, r.meter.Counters().RepeatedCounters)
	}
}

// killed waits for the end if it has not come yet.
func (p *polling) killed() {
	if p.cmd.ProcessState == nil {
		p.requireKilled()
	}
}

// TestKilledPollingReadOnly: so with a state that may only be read, for a user
// who is bound by that. When it may be written again polling goes on by itself.
func TestKilledPollingReadOnly(t *testing.T) {
	home, err := os.MkdirTemp("", "killed")
	require.NoError(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(home) })
	require.NoError(t, os.Chmod(home, 0o755))
	r := newRig(t, home)
	require.NoError(t, os.Mkdir(r.state, 0o700))
	if os.Getuid() == 0 { // nothing is read-only for root
		const nobody = 65534
		b, err := os.ReadFile("/proc/self/exe")
		require.NoError(t, err)
		r.binary = filepath.Join(home, "telegraf-dlms.test")
		require.NoError(t, os.WriteFile(r.binary, b, 0o755))
		require.NoError(t, os.Chown(r.state, nobody, nobody))
		r.as = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	}
	db := filepath.Join(r.state, state.Name(r.file)+".db")
	chmod := func(dir, file os.FileMode) {
		require.NoError(t, os.Chmod(r.state, dir))
		if _, err := os.Stat(db); err == nil {
			require.NoError(t, os.Chmod(db, file))
		}
	}
	for i := range kills(6, 10) {
		p := r.start()
		require.True(t, p.await(1+rand.N(100), "value=12345", "meter=a"), p.errs.String())
		p.kill()
		if gone := i%5 == 3; gone {
			require.NoError(t, os.Remove(db))
		}
		chmod([]os.FileMode{0o700, 0o500}[i%2], 0o400)
		r.countdown.left.Store(-1)
		p = r.start()
		dies := i > 0 && rand.N(3) == 0
		if dies {
			r.countdown.left.Store(1 + rand.Int64N(100))
			p.killedSoon()
		}
		held := p.requireHeld(dies)
		chmod(0o700, 0o600)
		if held && p.resumes(dies) {
			p.kill()
			p.requireSaid("permission denied", true)
		}
		p.killed()
		require.Zero(t, r.meter.Counters().RepeatedCounters)
	}
}
