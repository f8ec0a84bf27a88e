"""The stages of the job: pure functions from Arrow table to Arrow table. No Ray and no SDK is imported here."""
