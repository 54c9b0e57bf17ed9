import { Modal } from '@mantine/core';
import { Link } from '@tanstack/react-router';
import { useHabits } from '../../components/habits.ts';
import classes from '../shell.module.css';
import { KEYS } from './keys.ts';

export function KeysHelp({ opened, onClose }: { opened: boolean; onClose: () => void }) {
  const { singleKeys } = useHabits();
  return (
    <Modal opened={opened} onClose={onClose} title="Keys" size="sm">
      <table style={{ width: '100%' }}>
        <tbody>
          {KEYS.filter(({ always }) => singleKeys || always).map(({ keys, what }) => (
            <tr key={what}>
              <td style={{ padding: '5px 0', whiteSpace: 'nowrap' }}>
                {keys.map((key) => (
                  <kbd key={key} className={classes.key} style={{ marginRight: 4 }}>
                    {key}
                  </kbd>
                ))}
              </td>
              <td style={{ padding: '5px 0 5px 16px', width: '100%' }}>{what}</td>
            </tr>
          ))}
        </tbody>
      </table>
      <p style={{ margin: '12px 0 0', color: 'var(--hg-dim)' }}>
        {singleKeys ? 'Single keys can be turned off in ' : 'Single keys are turned off in '}
        <Link to="/settings" hash="habits" className="hg-link" onClick={onClose}>
          You
        </Link>
        .
      </p>
    </Modal>
  );
}
