package password

// MaxBytes is the longest password, in bytes, that can be hashed. It is far
// over the 64 characters that NIST SP 800-63B-4 asks for and keeps a stranger
// from sending megabytes to the hash.
const MaxBytes = 1024

// Limits on what a stored hash may cost to verify. Someone who may import users
// could otherwise stop the server with one line. Each is worth one to three
// seconds of a core, several times the usual settings.
const (
	maxThreads = 16
	maxMemory  = 256 << 10     // KiB, for argon2id and scrypt alike
	maxPasses  = 4 * maxMemory // KiB times passes

	maxBcryptCost = 15
	maxIterations = 5_000_000 // PBKDF2

	maxEncoded = 512 // bytes of the whole stored string
	minSalt    = 4   // NIST SP 800-63B-4 section 3.1.1.2: 32 bits
	maxSalt    = 64
	minTag     = 16
	maxTag     = 128
)
