#pragma once

// Gives whole pages that malloc keeps free between blocks in use back to the system, where the
// library can do that.
void slm_close_gaps(void);
