import { Modal } from '@mantine/core';
import { KEYS } from './keys.ts';
import classes from './shell.module.css';

export function KeysHelp({ opened, onClose }: { opened: boolean; onClose: () => void }) {
  return (
    <Modal opened={opened} onClose={onClose} title="Keys" size="sm">
      <table style={{ width: '100%' }}>
        <tbody>
          {KEYS.map(({ keys, what }) => (
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
    </Modal>
  );
}
