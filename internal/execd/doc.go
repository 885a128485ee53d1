// Package execd keeps the contract of Telegraf's inputs.execd for one plugin
// in a process of its own: a configuration file that is read strictly, gather
// ticks on standard input, line protocol on standard output and levelled lines
// on standard error.
//
// It knows telegraf.Input and telegraf.ServiceInput, and nothing of what the
// plugin does. Telegraf's own shim, agent and config packages are not used:
// they drop unknown keys, expand "$" in passwords and log every line as an
// error.
package execd
