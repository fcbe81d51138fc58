// Command bench measures lanyard side by side with other projects and writes
// the outcome as a table.
//
//	bash run.sh
//
// runs all of it and keeps the table in docs/benchmarks.md;
//
//	bash run.sh -scale
//
// measures what a million sessions cost, which takes long, and keeps that part of
// the page, which other runs leave as it is.
//
// Contenders take turns in short slices within one run, so that a busy machine
// slows them alike, and what counts is the median of the ratios of neighbouring
// slices: the ratios hold on other machines, the absolute times do not.
//
// PostgreSQL and Redis are started by the run itself, with the same settings for
// all who use them. Without them their rows are left out and named. A part by
// itself, such as -only stores, is printed and not kept.
//
// The contenders are in package contender, whose tests show that each of them
// works. For a profile of a single one run
//
//	go test -run - -bench . -cpuprofile cpu.out ./contender
package main
