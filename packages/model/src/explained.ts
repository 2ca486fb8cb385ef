import { z } from 'zod'

/** What goes with words of nginx, where it is known what they mean. */
export const explained = {
  code: z.string().optional().meta({ description: 'What kind of message it is: stays the same while texts are improved.' }),
  cause: z.string().optional().meta({ description: 'What is likely behind it.' }),
  fix: z.string().optional().meta({ description: 'What to do about it.' }),
}
