#pragma once

#include <cblas.h>

// The LAPACK routines in use, by their Fortran names: Debian's OpenBLAS exports them but ships no
// LAPACKE. Matrices are column-major; a row-major symmetric matrix is its own transpose, with the
// triangles exchanged.
void spotrf_(const char *uplo, const int *n, float *a, const int *lda, int *info);
void dpotrf_(const char *uplo, const int *n, double *a, const int *lda, int *info);
void spotri_(const char *uplo, const int *n, float *a, const int *lda, int *info);
void dpotri_(const char *uplo, const int *n, double *a, const int *lda, int *info);
void dtrtri_(
    const char *uplo, const char *diag, const int *n, double *a, const int *lda, int *info);
