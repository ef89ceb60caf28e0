// Waits that end.

/** What a promise brings, or an error if that takes more than `seconds`. */
export async function within(seconds, promise, what) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`waited ${seconds} s for ${what}`)), seconds * 1000);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Waits until `check` says yes. */
export async function until(seconds, check, what) {
  const end = Date.now() + seconds * 1000;
  while (!(await check())) {
    if (Date.now() > end) throw new Error(`waited ${seconds} s for ${what}`);
    await pause(0.05);
  }
}

/** Does nothing for `seconds`. */
export const pause = (seconds) => new Promise((resolve) => setTimeout(resolve, seconds * 1000));
