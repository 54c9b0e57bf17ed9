/** The sign of the product: a hangar with its door. */
export function Mark({ size = 20 }: { size?: number }) {
  return (
    <svg width={size} height={size} viewBox="0 0 32 32" aria-hidden>
      <rect width="32" height="32" rx="7" fill="#4353c9" />
      <g fill="none" stroke="#fff" strokeWidth="2.6" strokeLinecap="round">
        <path d="M6 24v-6.5C6 12 10.5 8 16 8s10 4 10 9.5V24" />
        <path d="M11.5 24v-5.5c0-2.6 2-4.5 4.5-4.5s4.5 1.9 4.5 4.5V24" opacity=".65" />
      </g>
    </svg>
  );
}
