// Sets light or dark before the first paint, and which place of the shell is painted; a file of its own because the policy allows
// no inline script.
(() => {
  const root = document.documentElement;
  let kept = 'auto';
  try {
    kept = localStorage.getItem('mantine-color-scheme-value') || 'auto';
  } catch {}
  const dark = kept === 'dark' || (kept === 'auto' && matchMedia('(prefers-color-scheme: dark)').matches);
  root.setAttribute('data-mantine-color-scheme', dark ? 'dark' : 'light');
  const [, noun] = location.pathname.split('/');
  // Pages without the shell paint nothing before they are there.
  if (!/^(sign-in|invite|device|gallery)$/.test(noun)) root.setAttribute('data-place', `/${noun || 'jobs'}`);
})();
