// Package e2e proves the whole way of a value with the real programs: a foreign
// meter, telegraf-dlms under Telegraf's inputs.execd, and InfluxDB. `make e2e`
// builds what it needs and runs it; without the tag e2e it is empty.
package e2e
